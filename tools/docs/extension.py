"""What Sphinx is told beyond its own: the list of pages, links out of docs/, requirement ids, drawings.

The pages are written for those who read them as files. Links that work there are turned into the site's own:
a link to the README is one to the home page, a folder has no page, another file is a download. Whatever reads like
the id of a requirement leads to it. It must not know what a page says.
"""

# docutils ships no types; pyright brings its own.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

from roomproof_protocol.requirements import requirements
from tools import ROOT
from tools.docs.pages import MOVED, sections

DOCS = ROOT / "docs"
REQUIREMENTS = "protocol/requirements"
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]\n]*(?:\n[^\]\n]+)?)\]\((?P<target>[^)#\s:]+)(?P<anchor>#[^)\s]*)?\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
ID = re.compile(r"\b[A-Z]{2,8}-\d{1,2}\b")


def on_source(_app: Sphinx, name: str, source: list[str]) -> None:
    """Bring in pages that live at the root, write the lists of pages, and turn links."""
    path = DOCS / f"{name}.md"
    text = source[0]
    for root, page in MOVED.items():
        if page == path.name and path.parent == DOCS and not root.endswith("README.md"):
            path, text = ROOT / root, (ROOT / root).read_text(encoding="utf-8")
    if name == "index":
        text += "".join(f"\n{toctree}\n" for toctree in _toctrees())
    source[0] = turned(text, path, DOCS / f"{name}.md")


def turned(text: str, written: Path, shown: Path) -> str:
    """The page's text with links for where it is `shown`, `written` as it was for another place. Code stays."""
    parts, end = [], 0
    for fence in FENCE.finditer(text):
        parts += [LINK.sub(lambda found: _link(found, written, shown), text[end : fence.start()]), fence.group()]
        end = fence.end()
    return "".join([*parts, LINK.sub(lambda found: _link(found, written, shown), text[end:])])


def _link(found: re.Match[str], written: Path, shown: Path) -> str:
    target = Path(os.path.normpath(written.parent / found["target"]))
    if target.is_dir():
        return found["text"]
    inside = target.relative_to(ROOT).as_posix() if target.is_relative_to(ROOT) else ""
    anchor = found["anchor"] or ""
    if inside in MOVED:
        target = DOCS / MOVED[inside]
        anchor = "" if target.name == "index.md" else anchor  # the home page has other headings
    return f"[{found['text']}]({os.path.relpath(target, shown.parent)}{anchor})"


def _toctrees() -> list[str]:
    lines = []
    for title, pages in sections():
        names = "\n".join(name.removesuffix(".md") for name in pages)
        lines.append(f"```{{toctree}}\n:hidden:\n:caption: {title}\n\n{names}\n```")
    return lines


class LinkedIds(SphinxTransform):
    """Ids of requirements in running text, as links to their sentences."""

    default_priority = 400

    def apply(self, **_: Any) -> None:
        if self.env.docname == REQUIREMENTS:
            return
        known = {row.id for row in requirements()}
        for node in list(self.document.findall(nodes.Text)):
            above = node.parent
            if isinstance(
                above, (nodes.literal, nodes.reference, nodes.title, nodes.literal_block, nodes.raw, pending_xref)
            ):
                continue
            if any(id_ in known for id_ in ID.findall(node)):
                above.replace(node, list(self._linked(str(node), known)))

    def _linked(self, text: str, known: set[str]) -> list[nodes.Node]:
        parts: list[nodes.Node] = []
        end = 0
        for found in ID.finditer(text):
            if found.group() not in known:
                continue
            parts.append(nodes.Text(text[end : found.start()]))
            link = pending_xref(
                "", nodes.inline("", found.group(), classes=["rid"]), refdomain="std", reftype="ref",
                reftarget=found.group().lower(), refexplicit=True, refwarn=True, refdoc=self.env.docname,
            )  # fmt: skip
            parts.append(link)
            end = found.end()
        return [*parts, nodes.Text(text[end:])]


class InlineDrawings(SphinxPostTransform):
    """Drawings of ours stand in the page itself, so that they follow its colours."""

    default_priority = 100
    formats = ("html",)

    def run(self, **_: Any) -> None:
        for image in list(self.document.findall(nodes.image)):
            path = DOCS / image["uri"]
            if path.suffix == ".svg" and path.parent.name == "drawings":
                svg = path.read_text(encoding="utf-8")
                svg = re.sub(r"<\?xml.*?\?>\s*|<style>.*?</style>\s*", "", svg, flags=re.DOTALL)
                html = f'<div class="drawing" tabindex="0">{svg}</div>'
                image.replace_self(nodes.raw("", html, format="html"))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", on_source)
    app.add_transform(LinkedIds)
    app.add_post_transform(InlineDrawings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
