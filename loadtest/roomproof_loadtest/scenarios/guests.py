"""Users who behave badly, beside users who do not: what matters is what the others notice of it."""

from __future__ import annotations

import itertools
from typing import Any, Final

from roomproof_loadtest.user import Voice

from .base import ChatUser

RUBBISH: Final[tuple[tuple[str | bytes, int | None], ...]] = (
    ("", None),
    ("{", None),
    ("null", None),
    ("[]", None),
    ('{"type":"no-such-thing","id":"x"}', None),
    ('{"type":"send"}', None),
    ('{"type":"join","id":"j","room":7}', None),
    ('{"id":"x"}', None),
    ("[" * 2000 + "]" * 2000, None),
    ('{"type":"send","id":"s","room":"a","text":"\\ud800"}', None),
    ("hello", None),
    (b"\x00\x01\x02\xff", 2),
    ('{"type":"send","id":"s","room":"' + "x" * 3000 + '","text":"t"}', None),
)
"""Frames that are well-formed WebSocket and no message of any chat."""


class SlowReaders(ChatUser):
    """A share of the members reads slowly: a small receive buffer, 4 KiB at a time, and a pause between.

    It stands for a phone with a bad connection. The server must not keep everything for it, must not wait for it, and
    may cut it off; the others must notice nothing. Slow members are not judged, and their latencies stand apart.
    """

    def make_voice(self) -> Voice:
        if not self.is_bad():
            return self.new_voice()
        voice = self.new_voice(judged=False, receive_buffer=4096, expect_end=True, group=" (slow readers)")
        voice.read_size = 4096
        voice.pause = lambda: self.rng.uniform(0.5, 1.5) * float(self.stage.parameters["slow_pause"])
        return voice


class Abusers(ChatUser):
    """A share of the users sends far beyond the limit, in the rooms of users who keep to it.

    It stands for a bot, or a client gone mad. Of an abuser no more than the limit may get through and no less, what
    was refused may reach nobody, and honest users are never refused. The server may disconnect an abuser.
    """

    def make_voice(self) -> Voice:
        if not self.is_bad():
            return self.new_voice()
        return self.new_voice(pace=False, expect_end=True, group=" (abusers)")

    def pace(self) -> float:
        return float(self.stage.parameters["abuse_rate"]) if self.is_bad() else super().pace()


class MalformedFlood(ChatUser):
    """A share of the users sends frames that are no message, as fast as an abuser, and comes back when closed.

    It stands for a broken client and for somebody who tries. The server may answer with errors or close; honest users
    in the same rooms must notice nothing.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rubbish = itertools.cycle(self.rng.sample(RUBBISH, len(RUBBISH)))

    def make_voice(self) -> Voice:
        if not self.is_bad():
            return self.new_voice()
        return self.new_voice(judged=False, pace=False, expect_end=True, group=" (flooders)")

    def pace(self) -> float:
        return float(self.stage.parameters["abuse_rate"]) if self.is_bad() else super().pace()

    def act(self) -> None:
        if not self.is_bad():
            super().act()
            return
        payload, opcode = next(self._rubbish)
        self.stage.board.count("malformed sent")
        self.voice.raw(payload, opcode)
