"""The kit under load, for hours: false alarms, and liars all the same. `run` starts it, `page` draws it."""
