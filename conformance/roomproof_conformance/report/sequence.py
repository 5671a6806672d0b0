"""A sequence diagram of a case as inline SVG: lanes for connections and server, a row for each line.

What was said stands in a column of its own beside the lanes, so that no text crosses a lane. Colours
come from the page's style sheet. Knows the story of a transcript, and no verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from .escaping import visible
from .story import Gap, Line, connections, cut

ARROWS = 40
LANES = 8

ROW = 24
HEAD = 34
LEFT = 72  # where the first lane stands; the times are before it
LANE = 56
WIDTH = 888  # of a page's column; many lanes make the drawing wider
LETTER = 7.0  # width of a letter of the 11.5 px monospace type, rounded up
FEWEST = 60  # letters that a row's text has room for at least


def sequence(lines: Sequence[Line], *, arrows: int = ARROWS, lanes: int = LANES) -> str:
    """Draw the lines nearest to the evidence: at most `arrows` rows and `lanes` connections."""
    chosen = _lanes(lines, arrows, lanes)
    mine = [line for line in lines if not line.conn or line.conn in chosen]
    shown = cut(mine, arrows)
    others = len(connections(lines)) - len(chosen)
    return _Drawing([name for name in connections(lines) if name in chosen], shown, others).svg()


def _lanes(lines: Sequence[Line], arrows: int, lanes: int) -> set[str]:
    """The connections to draw: those with evidence, then those that speak near it."""
    near = cut(lines, arrows)
    wanted = [line for line in lines if line.evidence] + [line for line in near if isinstance(line, Line)] + list(lines)
    return set(connections(wanted)[:lanes])


@dataclass
class _Drawing:
    names: list[str]
    rows: Sequence[Line | Gap]
    others: int
    parts: list[str] = field(default_factory=list)

    def svg(self) -> str:
        self._x = {name: LEFT + LANE * place for place, name in enumerate(self.names)}
        self._server = LEFT + LANE * len(self.names)
        self._beside = self._server + 22
        width = max(WIDTH, self._beside + int(FEWEST * LETTER) + 8)
        self._letters = int((width - 8 - self._beside) / LETTER)
        height = HEAD + ROW * len(self.rows) + 14 + (ROW if self.others else 0)
        self._lifelines(HEAD + ROW * len(self.rows) + 6)
        for place, row in enumerate(self.rows):
            y = HEAD + ROW * place + ROW // 2
            if isinstance(row, Gap):
                self._gap(row, y, width)
            else:
                self._row(row, y, width)
        if self.others:
            plural = "s" if self.others > 1 else ""
            self._text("dim", self._beside, height - 12, f"{self.others} more connection{plural} not drawn")
        body = "\n".join(self.parts)
        label = f"Sequence diagram of {len(self.names)} connections and the server"
        return (
            f'<svg class="seq" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
            f'aria-label="{label}">\n{body}\n</svg>'
        )

    # -- lanes -----------------------------------------------------------------------------------------

    def _lifelines(self, bottom: int) -> None:
        begins, ends = {}, {}
        for place, row in enumerate(self.rows):
            if isinstance(row, Line) and row.role in ("open", "refused"):
                begins[row.conn] = HEAD + ROW * place + ROW // 2
            if isinstance(row, Line) and row.role in ("end", "refused"):
                ends[row.conn] = HEAD + ROW * place + ROW // 2
        for name, x in self._x.items():
            self._head(x, name, "conn")
            self.parts.append(f'<path class="life" d="M{x} {begins.get(name, HEAD - 6)}V{ends.get(name, bottom)}"/>')
        self._head(self._server, "server", "srv")
        self.parts.append(f'<path class="life" d="M{self._server} {HEAD - 6}V{bottom}"/>')

    def _head(self, x: int, name: str, kind: str) -> None:
        self.parts.append(f'<rect class="head {kind}" x="{x - 25}" y="6" width="50" height="20" rx="4"/>')
        self._text("name", x, 20, visible(name, 6), anchor="middle")

    # -- rows ------------------------------------------------------------------------------------------

    def _row(self, line: Line, y: int, width: int) -> None:
        if line.evidence:
            kind = "band decided" if line.role == "decided" else "band"
            self.parts.append(f'<rect class="{kind}" x="0" y="{y - ROW // 2}" width="{width}" height="{ROW}"/>')
        self._text("time", LEFT - 34, y + 4, f"{line.t:.3f}", anchor="end")
        x = self._x.get(line.conn, self._server)
        match line.role:
            case "out":
                self._arrow(x, self._server, y, "out")
            case "in":
                self._arrow(self._server, x, y, "in")
            case "open":
                self._arrow(x, self._server, y, "open")
            case "refused":
                self._arrow(x, self._server, y, "open")
                self._cross(x, y)
            case "fault":
                self._arrow(self._server, x, y, "bad")
            case "local":
                self.parts.append(f'<rect class="local" x="{x - 4}" y="{y - 4}" width="8" height="8"/>')
            case "end":
                if line.data.get("by") == "server":
                    self._arrow(self._server, x + 6, y, "bad")
                self._cross(x, y)
            case "mark" | "decided":
                self.parts.append(f'<path class="mark" d="M{LEFT - 26} {y}H{self._server + 12}"/>')
        self._said(line, y)

    def _said(self, line: Line, y: int) -> None:
        label = _fitted(line.label, self._letters)
        gist = line.gist if len(label) + len(line.gist) + 1 < self._letters else ""
        room = self._letters - len(label) - 1 - (len(gist) + 1 if gist else 0)
        text = _fitted(line.text(room), room) if room > 20 else ""
        quiet = "note" if line.role in ("mark", "decided", "local", "open") else "what"
        words = f'<tspan class="{quiet}">{escape(label)}</tspan>'
        words += f'<tspan class="gist" dx="7">{escape(gist)}</tspan>' if gist else ""
        words += f'<tspan class="body" dx="7">{escape(text)}</tspan>' if text else ""
        self.parts.append(f'<text x="{self._beside}" y="{y + 4}">{words}</text>')

    def _gap(self, gap: Gap, y: int, width: int) -> None:
        self.parts.append(
            f'<rect class="gap" x="{LEFT - 26}" y="{y - 9}" width="{self._server - LEFT + 38}" height="18"/>'
        )
        self._text("dim", self._beside, y + 4, f"… {gap.count:,} more …")

    def _arrow(self, x1: int, x2: int, y: int, kind: str) -> None:
        point = 6 if x2 > x1 else -6
        self.parts.append(f'<path class="arrow {kind}" d="M{x1} {y}H{x2 - point // 2}"/>')
        self.parts.append(f'<path class="tip {kind}" d="M{x2} {y}l{-point} -3.5v7z"/>')

    def _cross(self, x: int, y: int) -> None:
        self.parts.append(f'<path class="cross" d="M{x - 5} {y - 5}l10 10m0 -10l-10 10"/>')

    def _text(self, kind: str, x: int, y: int, text: str, anchor: str = "") -> None:
        side = f' text-anchor="{anchor}"' if anchor else ""
        self.parts.append(f'<text class="{kind}" x="{x}" y="{y}"{side}>{escape(text)}</text>')


def _fitted(text: str, letters: int) -> str:
    """`text` in that many letters; a length that is said at its end stays."""
    if len(text) <= letters:
        return text
    tail = text.rpartition("… (")[2] if text.endswith(("bytes)", "characters)")) and "… (" in text else ""
    end = f"… ({tail}" if tail else "…"
    return text[: letters - len(end)] + end
