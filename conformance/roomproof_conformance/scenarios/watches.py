"""What is looked for in everything that happens in a run: checks that need no scenario of their own.

Those that belong to the scenarios of one area stand beside these: CONN-11, ROOM-4, MSG-1, MSG-5, ERR-12, LIMIT-8.
"""

from __future__ import annotations

from roomproof_conformance.checks import watch
from roomproof_conformance.judges.everywhere import (
    Faultless,
    LeftIsLeft,
    ListedCloses,
    OwnMids,
    ReplaysEqual,
    Unnumbered,
    well_formed,
)
from roomproof_conformance.judges.presumed import PRESUMED

watch("DISC-4.every-close")(ListedCloses)
watch("ERR-9.server-frames")(Faultless)
watch("HIST-7.everywhere", needs="numbering")(ReplaysEqual)
watch("MSG-15.everywhere")(OwnMids)
watch("PRES-4.everywhere")(Unnumbered)
watch("ROOM-6.everywhere", needs="native")(LeftIsLeft)

for presumption, presumed_row in PRESUMED:
    watch(f"{presumed_row}.presumed")(presumption)

FORMS = {
    "welcome": "CONN-7",
    "joined": "HIST-1",
    "left": "ROOM-7",
    "sent": "MSG-1",
    "message": "MSG-2",
    "history": "HIST-5",
    "presence": "PRES-1",
    "presence_event": "PRES-2",
    "pong": "BEAT-2",
    "tick": "BEAT-3",
    "error": "ERR-12",
}
"""For each type of message the row that speaks of it: only CONN-7 says in so many words that the schema must hold."""

for message_type, row in FORMS.items():
    watch(f"{row}.every-frame", needs="native")(well_formed(message_type))
