"""The proof of the load test: every scenario with the reference, five liars, two servers of other people."""
