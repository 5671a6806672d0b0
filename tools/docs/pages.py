"""The list of pages: docs/README.md, read by the site for its navigation and by the tests for its completeness."""

from __future__ import annotations

import re

from tools import ROOT

LIST = ROOT / "docs" / "README.md"
# Files at the root that are pages of the site; where docs/ has a file of that name, it is a stub with a link.
MOVED = {
    "README.md": "index.md",
    "docs/README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "reporting.md",
}
ROW = re.compile(r"^\| \[[^\]]+\]\(([^)]+)\)", re.MULTILINE)


def sections() -> list[tuple[str, list[str]]]:
    """Title and pages of each section, in order, as paths within docs/; a folder stands for the pages in it."""
    _, *parts = re.split(r"^## (.+)$", LIST.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [
        (title, [page for target in ROW.findall(rows) for page in _pages(target)])
        for title, rows in zip(parts[::2], parts[1::2], strict=True)
    ]


def _pages(target: str) -> list[str]:
    if target.startswith("../"):
        return [MOVED[target.removeprefix("../")]]
    if target.endswith("/"):
        return [f"{target}{path.name}" for path in sorted((LIST.parent / target).glob("*.md"))]
    return [target]
