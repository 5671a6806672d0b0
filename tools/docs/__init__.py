"""The site and its proofs: what is generated for it, what Sphinx is told, and tests of what the pages say."""
