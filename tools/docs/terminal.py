"""What a terminal showed, as a drawing: the kit's real output with its colours, kept as it came."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

LETTER, LINE, EDGE = 7.25, 18, 16
COLOURS = {
    "1": ' fill="#e4e6e8" font-weight="700"',
    "2": ' fill="#9aa4ad"',
    "1;31": ' fill="#f28b82" font-weight="700"',
}
PLAIN = ' fill="#e4e6e8"'
CODE = re.compile(r"\x1b\[([0-9;]*)m")


def drawn(path: Path) -> str:
    """The text of `path`, with its escape codes for colours, as SVG on a dark ground."""
    lines = path.read_text(encoding="utf-8").splitlines()
    width = round(max(len(CODE.sub("", line)) for line in lines) * LETTER) + 2 * EDGE
    height = LINE * len(lines) + 2 * EDGE
    rows = []
    for place, line in enumerate(lines):
        column, style = 0, ""
        for number, part in enumerate(CODE.split(line)):
            if number % 2:
                style = COLOURS.get(part, "")
            elif part.strip():
                first = column + len(part) - len(part.lstrip())
                words = part.strip()
                where = f'x="{EDGE + first * LETTER:g}" y="{EDGE + LINE * place + 13}"'
                fits = f'textLength="{len(words) * LETTER:g}" lengthAdjust="spacingAndGlyphs"'
                rows.append(f"<text {where} {fits}{style or PLAIN}>{escape(words)}</text>")
            column += 0 if number % 2 else len(part)
    face = "font-family='ui-monospace,Menlo,Consolas,DejaVu Sans Mono,monospace' font-size='12'"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="Output of roomproof: one sentence is broken" {face}>\n'
        f'<rect width="{width}" height="{height}" rx="8" fill="#1b1f23"/>\n' + "\n".join(rows) + "\n</svg>\n"
    )
