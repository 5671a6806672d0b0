"""What servers print is kept within bounds."""

from __future__ import annotations

import asyncio
import os

from roomproof_conformance.output import HEAD, TAIL, Output

MIB = 2**20


def test_little_is_kept_whole() -> None:
    output = Output()
    for word in (b"one\n", b"two\n", "drei\u00df\n".encode()):
        output.add(word)
    assert output.text() == "one\ntwo\ndrei\u00df\n"


def test_of_much_the_beginning_and_the_end_are_kept_with_what_is_missing() -> None:
    output = Output()
    output.add(b"first line\n" + b"x" * HEAD)
    for _ in range(50):
        output.add(b"y" * 100_000)
    output.add(b"\nlast line")
    text = output.text()
    assert text.startswith("first line\n")
    assert text.endswith("\nlast line")
    left_out = 11 + HEAD + 50 * 100_000 + 10 - HEAD - TAIL
    assert f"\n… {left_out:,} bytes left out …\n" in text


def test_exactly_as_much_as_there_is_room_for() -> None:
    output = Output()
    output.add(b"h" * HEAD + b"t" * TAIL)
    assert output.text() == "h" * HEAD + "t" * TAIL


async def test_a_gigabyte_takes_no_room() -> None:
    output = Output()
    before = resident()
    theirs = output.pipe()
    process = await asyncio.create_subprocess_exec("head", "-c", str(1024 * MIB), "/dev/zero", stdout=theirs)
    os.close(theirs)
    await process.wait()
    await output.settled()
    assert output.total == 1024 * MIB
    assert len(output.text()) < HEAD + TAIL + 100
    assert resident() - before < 50 * MIB


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
