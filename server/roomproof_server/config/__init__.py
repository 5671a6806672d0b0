"""What an operator may set: one table of options, and everything derived from it.

`options` is the table; `kinds` say what a value may be; `gather` reads command line, environment and file;
`check` looks for contradictions; `derived` makes the file's JSON Schema and the docs page.
"""
