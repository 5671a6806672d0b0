from __future__ import annotations

import re

from roomproof_protocol import (
    CLOSES,
    DEFAULTS,
    ENDPOINT,
    ERRORS,
    SUBPROTOCOL,
    VERSION,
    client_types,
    server_types,
)
from roomproof_protocol.reference import reference_page

PAGE = reference_page(VERSION, SUBPROTOCOL, ENDPOINT)


def test_every_message_code_and_limit_is_on_the_page() -> None:
    assert PAGE.count("\n### `") == len(client_types()) + len(server_types())
    for name in [*ERRORS, *CLOSES, *DEFAULTS.advertised()]:
        assert re.search(rf"^\| `?{name}`?[. |]", PAGE, re.MULTILINE), name


def test_links_lead_to_anchors() -> None:
    anchors = re.findall(r"^\(([a-z0-9-]+)\)=$", PAGE, re.MULTILINE)
    assert len(set(anchors)) == len(anchors)
    assert set(re.findall(r"\]\(#([a-z0-9-]+)\)", PAGE)) <= set(anchors)


def test_rows_of_a_table_have_as_many_cells_as_its_head() -> None:
    for block in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1
