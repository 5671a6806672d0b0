"""The kit judged by mutants of the server's source.

`run` starts it, `page` draws it, invisible.yaml lists what no client can see.
"""
