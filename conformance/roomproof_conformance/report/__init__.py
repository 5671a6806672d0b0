"""What people and programs get to see of a run: terminal, HTML, JSON and transcripts.

Every report is made from one `RunResult` and nothing else. Import the module of the format you
want; rich and jinja2 are only loaded when something is drawn with them.
"""
