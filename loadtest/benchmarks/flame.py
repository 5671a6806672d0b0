"""Where the time goes: the server sampled under scenario (c) as a flame graph, and the shares of its steps.

python -m benchmarks.flame --write docs/results/bench/flame.svg    # needs py-spy; prints the shares

Waiting is left out, and so is what starts the server: the graph begins at the event loop.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

from benchmarks.processes import Generator, Running
from benchmarks.scenarios import FAN_OUT
from benchmarks.servers import SERVERS, ready

Stack = tuple[str, ...]

WIDTH, ROW, LEAST = 1000, 16, 3.0  # pixels; narrower frames are left out
ROOT = re.compile(r"Runner\.run|runners\.py")
IDLE = re.compile(r"epoll_p?wait|select \(selectors")

# What a sample counts for: the first that is found from the innermost frame outwards.
STEPS = (
    ("write: the kernel's send()", re.compile(r"^(write|send|__send|__libc_send|__libc_write) ")),
    ("decode and validate", re.compile(r"roomproof_protocol/(quick|requests|codec|messages|grammar)|json/")),
    ("wire: RFC 6455 in", re.compile(r"websockets/|shell/wire|_parse|Connection\._frame|Connection\.buffer_updated")),
    ("rooms: batches, copies, transports", re.compile(r"roomproof_server/hub|Connection\.(flush|keep|send)")),
    ("rules: order, dedupe, quota, replies", re.compile(r"roomproof_server/(rules|engine|counters)")),
    ("loop, timers, heartbeat", re.compile(r"")),
)


def sampled(name: str, scenario: str, seconds: int) -> Counter[Stack]:
    """Stacks of the busy server, outermost frame first."""
    one = FAN_OUT[scenario]
    with (
        Running(SERVERS[name]) as running,
        Generator(running, groups=one.rooms, members=one.members, senders=one.senders) as clients,
        tempfile.NamedTemporaryFile() as out,
    ):
        spy = Path(sys.executable).parent / "py-spy"
        command = [str(spy), "record", "--native", "--rate", "400", "--format", "raw", "--duration", str(seconds)]
        recorder = subprocess.Popen(
            [*command, "--pid", str(running.pid), "--output", out.name],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        clients.tell(f"run {one.rate} {seconds} 1")
        recorder.communicate(timeout=30)
        return folded(Path(out.name).read_text().splitlines())


def folded(lines: Iterable[str]) -> Counter[Stack]:
    """py-spy's raw form, from the event loop on and without waiting."""
    found: Counter[Stack] = Counter()
    for line in lines:
        frames, _, count = line.rpartition(" ")
        stack = frames.split(";")
        if not IDLE.search(frames):
            start = max((at for at, frame in enumerate(stack) if ROOT.search(frame)), default=-1)
            found[tuple(stack[start + 1 :])] += int(count)
    return found


def shares(stacks: Counter[Stack]) -> dict[str, float]:
    """The share of each step."""
    found = dict.fromkeys((name for name, _ in STEPS), 0)
    for stack, count in stacks.items():
        found[_step(stack)] += count
    total = sum(found.values()) or 1
    return {name: count / total for name, count in found.items()}


def _step(stack: Stack) -> str:
    for frame in reversed(stack):
        for name, pattern in STEPS[:-1]:
            if pattern.search(frame):
                return name
    return STEPS[-1][0]


def drawing(stacks: Counter[Stack]) -> str:
    """A flame graph, the loop at the bottom."""
    total = sum(stacks.values()) or 1
    boxes = list(_boxes(stacks, 0, 0.0, WIDTH / total))
    height = (1 + max((level for level, *_ in boxes), default=0)) * ROW
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
             f'font-size="10">']  # fmt: skip
    for level, left, width, frame in boxes:
        name, place = frame.partition(" (")[::2]
        colour = "#9ad1b5" if "roomproof" in place else "#f2c879" if ".py" in place else "#d9d9d9"
        top = height - (level + 1) * ROW
        title = f"{escape(frame)}: {width / WIDTH:.1%}"
        parts.append(f'<g><title>{title}</title><rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{ROW - 1}" '
                     f'fill="{colour}"/>')  # fmt: skip
        if width > 30:
            parts.append(f'<text x="{left + 2:.1f}" y="{top + 11}">{escape(name[: int(width / 5.6)])}</text>')
        parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


def _boxes(stacks: Counter[Stack], level: int, left: float, scale: float) -> Iterator[tuple[int, float, float, str]]:
    by_frame: dict[str, Counter[Stack]] = {}
    for stack, count in stacks.items():
        if stack:
            by_frame.setdefault(re.sub(r":\d+\)$", ")", stack[0]), Counter())[stack[1:]] += count
    for frame, rest in sorted(by_frame.items()):
        width = sum(rest.values()) * scale
        if width >= LEAST:
            yield level, left, width, frame
            yield from _boxes(rest, level + 1, left, scale)
        left += width


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.flame")
    parser.add_argument("--server", default="roomproof", choices=SERVERS)
    parser.add_argument("--scenario", default="c", choices=FAN_OUT)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    ready()
    stacks = sampled(options.server, options.scenario, options.seconds)
    for name, share in shares(stacks).items():
        print(f"| {name} | {100 * share:.0f} % |")
    if options.write:
        options.write.parent.mkdir(parents=True, exist_ok=True)
        options.write.write_text(drawing(stacks), encoding="utf-8")


if __name__ == "__main__":
    main()
