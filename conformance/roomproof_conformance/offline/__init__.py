"""What can be done with a transcript after its run: judge it again, repeat it, make it small.

    files          from paths to transcripts
    rejudging      the verdicts of a transcript, or of all of a run, watches included
    conversation   a transcript as steps that can be repeated, and left out
    renaming       old names, tokens and record numbers in terms of the new conversation
    place          the server at which a conversation is repeated
    replay         drives a conversation against it
    differences    where the new transcript departs from the old one
    shrink         a smaller conversation that is broken in the same way

`files` and `rejudging` open no connection.
"""
