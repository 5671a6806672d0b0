"""What people and programs get to see of a run: terminal, HTML, JSON, JUnit, Markdown, badge and transcripts.

Every report is made from one `RunResult` and nothing else. Import the module of the format you
want; rich and jinja2 are only loaded when something is drawn with them.
"""

from __future__ import annotations

from .badge import write_badge
from .files import ReportError, write_transcripts
from .html import write_html
from .jsonreport import write_json
from .junit import write_junit
from .markdown import write_markdown

__all__ = [
    "ReportError",
    "write_badge",
    "write_html",
    "write_json",
    "write_junit",
    "write_markdown",
    "write_transcripts",
]
