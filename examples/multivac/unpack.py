"""Unpack the Python code of one answer of a public evaluation, byte for byte.

The results file is data from elsewhere (dataset `themultivac/multivac-evaluation`, MIT): per model one
Markdown response with fenced code, some of it cut off in the middle. This module finds the server file in a
response and writes it unchanged. It must not know how an answer is run, and it never executes or repairs one.

The rule: **the server file is the longest fenced block whose info string is `python`.** A block ends at its
closing fence or, where the response was cut off, at the end of the response.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import re
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
EVALUATION = "EVAL-20260402-133034"
DEFAULT_RESULTS = ROOT.parent / "shared/data/multivac" / f"{EVALUATION}.results.json"
DEFAULT_SCRATCH = ROOT / ".work/multivac/answers"
KNOWN = HERE / "answers.sha256"
"""The code that was looked at before it was allowed to run, in the form of `sha256sum`."""
SERVER_FILE = "chat_server.py"
FACTS_FILE = "chat_server.json"

# `\Z` is the end of a response that was cut off inside the block.
_FENCE = re.compile(r"^```(?P<info>[^`\n]*)\n(?P<code>.*?)(?:^(?P<close>```)[ \t]*$|\Z)", re.M | re.S)
# A key becomes a folder name, and the file is not ours.
_KEY = re.compile(r"[a-z0-9_]+")


class UsageFault(Exception):
    """Something the user can put right; its text is one line and is all that they see (exit status 2)."""


@dataclass(frozen=True)
class CutOff:
    """Where the code stops making sense: `line` counts from 1 inside the unpacked file."""

    line: int
    message: str


@dataclass(frozen=True)
class Answer:
    """One model's server file, as given.

    `first_line` and `last_line` are lines of the response (from 1) between which the code stands.
    `fence_closed` is false where the response ends inside the block; `cut_off` is None where the code parses.
    `entry_point` tells whether the file has an `if __name__ == "__main__":` block: code that parses may still
    be one file of a project whose server was never written.
    """

    model_key: str
    model_name: str
    rank: int
    score: float  # of the jury
    code: str
    first_line: int
    last_line: int
    fence_closed: bool
    cut_off: CutOff | None
    entry_point: bool

    @property
    def parses(self) -> bool:
        return self.cut_off is None

    @property
    def content(self) -> bytes:
        return self.code.encode()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def verdict(self) -> str:
        """One phrase for a table."""
        if self.cut_off is not None:
            return f"cut off: line {self.cut_off.line}: {self.cut_off.message}"
        return "parses" if self.entry_point else "parses, but starts nothing"

    def facts(self) -> dict[str, object]:
        """What is recorded beside the unpacked file (JSON)."""
        record = asdict(self)
        del record["code"]
        derived = {"parses": self.parses, "bytes": len(self.content), "sha256": self.sha256}
        return {"evaluation": EVALUATION, **record, **derived}


def load_results(path: Path = DEFAULT_RESULTS) -> dict[str, Answer]:
    """The answers of a results file by model key, in order of rank.

    Raises UsageFault when the file is missing or is not what it should be.
    """
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        places = {key: (place["rank"], place["average_score"]) for key, place in results["rankings"].items()}
        answers = [
            _answer(each["model_key"], each["model_name"], *places[each["model_key"]], each["response"])
            for each in results["responses"]
        ]
    except OSError as fault:
        raise UsageFault(
            f"{path}: {fault.strerror}: this should be the results file of evaluation {EVALUATION} (public "
            "dataset themultivac/multivac-evaluation, MIT); download it and name it with --results PATH"
        ) from fault
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise UsageFault(
            f"{path}: not a results file of themultivac/multivac-evaluation "
            f"(responses[].model_key/model_name/response, rankings.KEY.rank/average_score): {type(fault).__name__}: "
            f"{fault}"
        ) from fault
    return {answer.model_key: answer for answer in sorted(answers, key=lambda answer: answer.rank)}


def unpack(answer: Answer, scratch: Path) -> Path:
    """Write the answer to `scratch/<model_key>/chat_server.py`, the facts beside it; returns the file's path.

    Raises UsageFault when the folder cannot be written.
    """
    folder = scratch / answer.model_key
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SERVER_FILE).write_bytes(answer.content)
        (folder / FACTS_FILE).write_text(json.dumps(answer.facts(), indent=2) + "\n", encoding="utf-8")
    except OSError as fault:
        raise UsageFault(f"{folder}: {fault.strerror}: name a folder that can be written") from fault
    return folder / SERVER_FILE


def known(path: Path = KNOWN) -> dict[str, str]:
    """The sha256 of each answer's code by model key."""
    lines = (line.split() for line in path.read_text(encoding="ascii").splitlines())
    return {name.partition("/")[0]: digest for digest, name in lines}


def check_known(answers: dict[str, Answer]) -> None:
    """UsageFault when code is not what was looked at: it is not written where it would be run."""
    for answer in answers.values():
        wanted = known().get(answer.model_key)
        if answer.sha256 != wanted:
            raise UsageFault(
                f"the code of {answer.model_key} has sha256 {answer.sha256}, expected {wanted}: not the answer that "
                f"{KNOWN.name} knows, so it is not unpacked; look at it first, or name another folder with --into"
            )


def choose(answers: dict[str, Answer], key: str) -> Answer:
    """The answer of one model; UsageFault names the known ones."""
    if key not in answers:
        raise UsageFault(f"{key}: no such answer; the file has {', '.join(answers)}")
    return answers[key]


def _answer(key: str, name: str, rank: int, score: float, response: str) -> Answer:
    if not _KEY.fullmatch(key):
        raise ValueError(f"model_key {key!r} is not of the form {_KEY.pattern}")
    blocks = [found for found in _FENCE.finditer(response) if found["info"].strip().lower() == "python"]
    if not blocks:
        raise ValueError(f"the response of {key} has no fenced block of Python")
    block = max(blocks, key=lambda found: len(found["code"]))
    first_line = response.count("\n", 0, block.start("code")) + 1
    cut_off, entry_point = _read(block["code"])
    return Answer(
        model_key=key,
        model_name=name,
        rank=rank,
        score=score,
        code=block["code"],
        first_line=first_line,
        last_line=first_line + len(block["code"].removesuffix("\n").split("\n")) - 1,
        fence_closed=block["close"] is not None,
        cut_off=cut_off,
        entry_point=entry_point,
    )


def _read(code: str) -> tuple[CutOff | None, bool]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape in somebody else's code is no business of ours
            tree = ast.parse(code)
    except SyntaxError as fault:
        return CutOff(fault.lineno or 0, fault.msg), False
    # `__name__ == ...` as the test of an `if` at the top level is what every runnable answer ends with.
    return None, any(isinstance(node, ast.If) and "__name__" in ast.dump(node.test) for node in tree.body)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; 0 done, 2 usage."""
    parser = argparse.ArgumentParser(description="Unpack answers of the evaluation, unchanged.")
    parser.add_argument("keys", nargs="*", metavar="KEY", help="model keys (all ten when none is given)")
    parser.add_argument("--results", type=Path, default=DEFAULT_RESULTS, metavar="PATH", help="the results file")
    parser.add_argument("--into", type=Path, default=DEFAULT_SCRATCH, metavar="FOLDER", help="scratch folder")
    options = parser.parse_args(arguments)
    try:
        answers = load_results(options.results)
        if options.into == DEFAULT_SCRATCH:  # where servers.yaml takes it from
            check_known(answers)
        for key in options.keys or answers:
            answer = choose(answers, key)
            print(f"{answer.rank:2}  {unpack(answer, options.into)}  {answer.verdict}")
    except UsageFault as fault:
        print(f"unpack: {fault}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
