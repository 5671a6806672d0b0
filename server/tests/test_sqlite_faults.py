"""A store that fails: refused at the start in one line, or ``unavailable`` while it lasts, and never a silent loss."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from roomproof_protocol import Limits
from roomproof_server.engine import schema, writer
from roomproof_server.engine.base import Stored, Unavailable
from roomproof_server.engine.schema import StoreError
from roomproof_server.rules.stream import Entry

LIMITS = Limits.from_mapping({"history": 10, "dedup_ms": 5000})


class Faulty(sqlite3.Connection):
    """Commits as planned: "lost" is rolled back and "kept" is committed, and both report an error."""

    plan: list[str] = []  # noqa: RUF012 - one for all connections, emptied by the fixture

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        if sql == "COMMIT" and self.plan:
            what = self.plan.pop(0)
            super().execute("COMMIT" if what == "kept" else "ROLLBACK")
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *args)


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(schema.sqlite3, "connect", partial(sqlite3.connect, factory=Faulty))
    Faulty.plan.clear()
    return Faulty.plan


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """While this is not empty the file cannot be opened again."""
    gone: list[bool] = []
    really = writer.open_file

    def open_file(*args: Any, **kwargs: Any) -> Any:
        if gone:
            raise StoreError("away")
        return really(*args, **kwargs)

    monkeypatch.setattr(writer, "open_file", open_file)
    return gone


@pytest.fixture
def bench(plan: list[str], make_bench: Any) -> Any:
    bench = make_bench("sqlite", LIMITS)
    bench.enter("ann")
    bench.fill(3)
    bench.heard()
    return bench


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """A file system of its own, or the test is skipped: that takes root."""
    folder.mkdir(exist_ok=True)
    if subprocess.run(["mount", *options, str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system takes root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


def begin(make_bench: Any, path: Path, limits: Limits = LIMITS) -> Any:
    """A bench whose file is at ``path``."""
    bench = make_bench("sqlite", limits)
    bench.engine.close()
    bench.path = path
    bench.start()
    return bench


# While it runs


def test_a_commit_that_failed_was_never_there(bench: Any, plan: list[str]) -> None:
    """All of the batch, and what was numbered behind it, is unavailable; number and mid are free again (MSG-16)."""
    bench.enter("ann", "elsewhere")
    plan.append("lost")
    batch = [bench.send("ann", "lost", "mid-0001"), bench.send("ann", "lost", "mid-0001"), bench.send("bob", "lost")]
    bench.posts.get(timeout=10)()
    behind = [bench.send("cid", "lost too"), bench.send("cid", "lost too", room="elsewhere")]
    bench.settle()
    assert [*batch, *behind] == [[Unavailable()]] * 5
    assert bench.publish("cid", "here", room="elsewhere").seq == 1
    assert bench.heard() == []
    assert bench.tail().head == 3
    again = bench.publish("ann", "another text", "mid-0001")
    assert (again.seq, again.duplicate) == (4, False)
    bench.restart()
    assert b'"another text"' in bench.enter("ann").tail.messages[-1]


def test_a_commit_that_only_said_that_it_failed_happened(bench: Any, plan: list[str]) -> None:
    """The file is asked before anybody is told: SQLite may report an error for a transaction that is in it."""
    plan.append("kept")
    stored = bench.publish("ann", "kept", "mid-0001")
    assert (stored.seq, stored.duplicate) == (4, False)
    assert [entry.seq for entry in bench.heard()] == [4]
    assert bench.publish("ann", "kept", "mid-0001").duplicate


@pytest.mark.parametrize("what", ["kept", "lost"])
def test_a_commit_nobody_knows_of_is_settled_when_the_file_is_back(
    bench: Any, plan: list[str], away: list[bool], what: str
) -> None:
    """Until then sending is refused and reading goes on; then members hear it, or its number is free."""
    plan.append(what)
    away.append(True)
    epoch = bench.tail().epoch
    assert bench.publish("ann", "who knows", "mid-0001") == Unavailable()
    assert bench.publish("ann", "who knows", "mid-0001") == Unavailable()
    assert bench.publish("bob", "later") == Unavailable()
    assert (bench.tail().head, bench.page().head) == (3, 3)
    assert not any(isinstance(heard, Entry) for heard in bench.heard())
    bench.passes(1000)
    assert bench.publish("bob", "later") == Unavailable()
    away.clear()
    bench.passes(1000)
    retry = bench.publish("ann", "who knows", "mid-0001")
    assert (retry.epoch, retry.seq, retry.duplicate) == (epoch, 4, what == "kept")
    assert [entry.seq for entry in bench.heard()] == [4]
    bench.restart()
    assert [b"who knows" in message for message in bench.enter("ann").tail.messages] == [False] * 3 + [True]


def test_what_else_waits_for_a_failed_commit(bench: Any, plan: list[str]) -> None:
    guest = bench.new_guest()
    bench.engine.release_guest(guest.token)
    plan.append("lost")
    waiting = [
        bench.ask(bench.engine.new_guest),
        bench.ask(bench.engine.find_guest, guest.token),
        bench.ask(bench.engine.join, "elsewhere", bench.member("ann"), None, 100),
    ]
    bench.settle()
    assert waiting == [[Unavailable()]] * 3
    assert bench.find_guest(guest.token) == guest
    assert bench.enter("ann", "elsewhere").count == 1


def test_it_is_logged_once_and_when_it_is_over(bench: Any, plan: list[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    plan.extend(["lost"] * 5)
    for n in range(6):
        bench.publish(f"u{n}", "x")
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert str(bench.path) in caplog.text
    assert not any(record.exc_info for record in caplog.records)


def test_a_fault_in_our_own_code_is_answered_too(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(bench.engine._writer, "_apply", lambda *args: 1 / 0)
        assert bench.publish("ann", "x") == Unavailable()
    assert bench.publish("bob", "x").seq == 4


def fill_up(bench: Any) -> tuple[list[Any], int]:
    """Send until it is full; returns what was stored, and how many were refused."""
    stored: list[Any] = []
    refused = 0
    for n in range(3000):
        result = bench.publish(f"u{n}", "x" * 4000, f"mid-{n:04}")
        if isinstance(result, Unavailable):
            refused += 1
            if refused == 5:
                break
        else:
            stored.append(result)
    return stored, refused


def test_a_full_disk(make_bench: Any, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m", "tmpfs") as disk:
        bench = begin(make_bench, disk / "rooms.db", Limits.from_mapping({"dedup_ms": 600_000}))
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * 400_000)
        bench.enter("ann")
        stored, refused = fill_up(bench)
        assert (refused, [one.seq for one in stored]) == (5, list(range(1, len(stored) + 1)))
        assert bench.tail().head == len(stored)
        bench.passes(1000)
        assert not bench.engine.usable
        ballast.unlink()
        bench.passes(1000)
        assert bench.engine.usable
        more = bench.publish("late", "there is room again")
        assert isinstance(more, Stored)
        assert more.seq == len(stored) + 1
        bench.restart()
        assert bench.enter("ann").tail.head == more.seq
        assert bench.publish("u0", "x" * 4000, "mid-0000").duplicate
        bench.engine.close()


def test_a_disk_that_goes_away_and_comes_back(make_bench: Any, tmp_path: Path) -> None:
    """The open file would take writes all the same: they are gone with the next start."""
    (tmp_path / "real").mkdir()
    place = ("--bind", str(tmp_path / "real"))
    with mounted(tmp_path / "disk", *place) as disk:
        bench = begin(make_bench, disk / "rooms.db")
        bench.enter("ann")
        bench.fill(3)
        subprocess.run(["umount", "-l", str(disk)], check=True)
        assert bench.publish("ann", "x", "mid-0001") == Unavailable()
        assert bench.ask(bench.engine.join, "lobby", bench.member("bob"), None, 9)[0].tail.head == 3
        bench.passes(1000)
        assert bench.publish("ann", "x", "mid-0001") == Unavailable()
        subprocess.run(["mount", *place, str(disk)], check=True)
        assert bench.publish("ann", "x", "mid-0001").seq == 4
        bench.engine.close()


@pytest.mark.parametrize("what", ["deleted", "replaced", "an older copy"])
def test_a_file_that_is_taken_away(bench: Any, what: str, caplog: pytest.LogCaptureFixture) -> None:
    """Another file, or an older one, would number anew what clients have seen: it is never taken for the store."""
    log = Path(f"{bench.path}-wal")
    names = (bench.path, log)
    copies = {name: name.read_bytes() for name in names}
    bench.fill(1)
    kept = {name: name.rename(f"{name}.away") for name in names}
    if what == "replaced":
        bench.path.touch()
    elif what == "an older copy":
        for name, content in copies.items():
            name.write_bytes(content)
    for _ in range(3):
        assert bench.publish("ann", "x") == Unavailable()
        bench.passes(1000)
    assert bench.path.exists() == (what != "deleted")
    for name in names:
        name.unlink(missing_ok=True)
    for name, there in kept.items():
        there.rename(name)
    assert bench.publish("bob", "x").seq == 5


def test_a_damaged_room_harms_no_other(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    bench.enter("ann", "other")
    bench.publish("ann", "x", room="other")
    bench.engine.close()
    bench.sql("DELETE FROM message WHERE seq = 2")
    bench.revive()
    bench.engine.subscribe("lobby", None)
    for _ in range(2):
        asked = bench.ask(bench.engine.join, "lobby", bench.member("ann"), None, 100)
        assert bench.enter("ann", "other").tail.head == 1
        assert asked == [Unavailable()]
    assert [record.getMessage().count("room lobby") for record in caplog.records] == [1]


@pytest.mark.parametrize("seed", range(15))
def test_whatever_happens_no_number_names_two_texts(
    make_bench: Any, plan: list[str], away: list[bool], seed: int
) -> None:
    """MSG-3, MSG-9, MSG-18: sends in bursts, commits that fail in every way, restarts and kills, at random."""
    chance = random.Random(seed)
    bench = make_bench("sqlite", Limits.from_mapping({"dedup_ms": 10**7, "messages": {"count": 10**6}}))
    bench.enter("ann")
    epoch = bench.publish("ann", "first").epoch  # from now on the file knows it
    acknowledged: dict[str, int] = {}  # seq by text; each text has its own mid
    texts: dict[int, str] = {}
    heard = 0
    open_texts: set[str] = set()
    for step in range(80):
        what = chance.choice(["burst"] * 5 + ["lost", "kept", "away", "back", "restart", "killed"])
        if what in ("lost", "kept"):
            plan.append(what)
        elif what == "away":
            away.append(True)
        elif what == "back":
            away.clear()
        elif what != "burst":
            plan.clear()
            away.clear()
            bench.restart() if what == "restart" else bench.killed()
            tail = bench.enter("ann").tail
            assert tail.epoch == epoch
            bench.heard()
            heard = tail.head
            open_texts.update(json.loads(message)["text"] for message in tail.messages)
        open_texts.update(f"text {step}.{n}" for n in range(chance.randrange(6)))
        sent = [(text, bench.send("ann", text, f"mid-{text[5:]:->8}".replace(" ", ""))) for text in sorted(open_texts)]
        bench.passes(1000)
        for entry in bench.heard():
            if isinstance(entry, Entry):
                heard += 1
                assert (entry.epoch, entry.seq) == (epoch, heard)
                assert texts.setdefault(entry.seq, json.loads(entry.payload)["text"]) in entry.payload.decode()
        for text, (answer,) in sent:
            if isinstance(answer, Stored):
                assert acknowledged.setdefault(text, answer.seq) == answer.seq
                assert texts.setdefault(answer.seq, text) == text
                open_texts.discard(text)
            else:
                assert answer == Unavailable()
    plan.clear()
    away.clear()
    bench.killed()
    tail = bench.enter("ann").tail
    stored = {json.loads(message)["seq"]: json.loads(message)["text"] for message in tail.messages}
    assert {seq: texts[seq] for seq in stored if seq in texts} == {seq: stored[seq] for seq in stored if seq in texts}
    assert tail.head >= max(acknowledged.values())
    assert len(set(stored.values())) == len(stored)


# At the start


HOOK = [sys.executable, "-m", "roomproof_server.hook"]


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {
        "ROOMPROOF_STATE": str(folder), "ROOMPROOF_SETTINGS": '{"store": "sqlite", "jwt": false}', "ROOMPROOF_PORT": "0"
    }  # fmt: skip


def notice(line: str) -> bool:
    """A line of the log about something else, such as how many files may be open here."""
    return line.startswith("{") and '"level": "warning"' in line


def refused(path: Path) -> str:
    """The one line with which a server on this rooms.db ends, exit code 4."""
    ran = subprocess.run(HOOK, env=environment(path.parent), capture_output=True, text=True, timeout=30, check=False)
    assert (ran.returncode, "socket" in ran.stdout) == (4, False)
    (line,) = [line for line in ran.stderr.splitlines() if not notice(line)]
    assert line.startswith(f"cannot keep rooms in {path}: ")
    return line


@pytest.fixture
def stored(make_bench: Any) -> Path:
    """A good file."""
    bench = make_bench("sqlite", LIMITS)
    bench.enter("ann")
    for n in range(10):
        bench.publish(f"u{n}", "x" * 3000)
    bench.engine.close()
    return bench.path


def scribble(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 4096 * 2)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def upgrade(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 2")


def foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE recipes (cake)")


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (scribble, "damaged"),
        (truncate, "damaged"),
        (upgrade, "a newer version wrote it (format 2, this one knows 1); upgrade"),
        (foreign, "another program"),
        (lambda path: path.write_text("Dear diary, " * 1000), "not an SQLite database"),
    ],
)
def test_a_file_that_cannot_be_the_store_is_left_as_it_is(
    stored: Path, harm: Callable[[Path], None], says: str
) -> None:
    harm(stored)
    before = stored.read_bytes()
    line = refused(stored)
    assert says in line
    assert "--store" in line
    assert stored.read_bytes() == before
    assert [file.name for file in stored.parent.glob("rooms.db*")] == [stored.name]


def test_a_folder_that_is_missing_or_stands_in_the_way(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "missing" / "rooms.db")
    (tmp_path / "rooms.db").mkdir()
    assert "it is a folder" in refused(tmp_path / "rooms.db")
    assert [file.name for file in tmp_path.rglob("*.db*")] == ["rooms.db"]


def test_a_file_that_can_only_be_read(tmp_path: Path, stored: Path) -> None:
    """On a read-only mount, because mode bits do not stop root."""
    with mounted(tmp_path / "disk", "--bind", str(stored.parent)) as disk:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(disk)], check=True)
        assert "can only be read" in refused(disk / stored.name)


def test_a_file_somebody_has_locked(stored: Path) -> None:
    with closing(sqlite3.connect(stored)) as other:
        other.execute("BEGIN EXCLUSIVE")
        other.execute("DELETE FROM message")
        assert "locked" in refused(stored)
        other.execute("ROLLBACK")


def test_two_servers_on_one_file(tmp_path: Path) -> None:
    """The second says so and ends; the first goes on and ends as it should."""
    path = tmp_path / "rooms.db"
    pipe = subprocess.PIPE
    with subprocess.Popen(HOOK, env=environment(tmp_path), stdout=pipe, stderr=pipe, text=True) as first:
        assert first.stdout is not None
        while not first.stdout.readline().startswith("socket"):
            assert first.poll() is None
        try:
            assert "another process has locked it" in refused(path)
        finally:
            first.send_signal(signal.SIGTERM)
        _, errors = first.communicate(timeout=20)
    assert (first.returncode, [line for line in errors.splitlines() if not notice(line)]) == (0, [])
    assert [file.name for file in tmp_path.glob("rooms.db*")] == ["rooms.db"]
