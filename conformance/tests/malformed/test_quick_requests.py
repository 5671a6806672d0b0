"""The protocol's short way for ordinary requests, over every frame that the kit generates from the schemas."""

from __future__ import annotations

import json

import pytest

from roomproof_conformance.cli.malformed_command import list_malformed
from roomproof_protocol import DEFAULTS
from roomproof_protocol.codec import decode
from roomproof_protocol.quick import quick_request
from roomproof_protocol.requests import check_frame

pytest.importorskip("orjson", reason="the extra `server` is not installed")


def test_it_takes_no_frame_that_the_long_way_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    list_malformed((), True)
    taken = seen = 0
    for specimen in json.loads(capsys.readouterr().out)["frames"]:
        for frame in specimen["frames"]:
            text = frame["payload"]
            seen += 1
            quick = quick_request(text, DEFAULTS)
            if quick is not None:
                taken += 1
                assert quick == check_frame(decode(text)), specimen["id"]
    assert seen > 1000
    assert taken > 20
