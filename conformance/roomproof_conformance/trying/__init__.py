"""Help for who writes a dialect: `roomproof dialect try` and `roomproof dialect new`.

`trial` carries out a dialect step by step and tells what came of each frame; `advice` says what to write next;
`probing` talks to a server that nothing is known of; `draft` makes a first dialect file of what it said.
"""
