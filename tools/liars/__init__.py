"""The kit judged by its liars (`run`), and the conversations in which they are caught made small (`shrink`)."""
