"""The answers of a published evaluation, unpacked, run and judged, and the page of what came out."""
