from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

from roomproof_protocol import ENDPOINT, SUBPROTOCOL, VERSION, client_types, server_types
from roomproof_protocol.bundle import asyncapi, bundle
from roomproof_protocol.messages import Direction, schema

BUNDLE = bundle()
ASYNCAPI = asyncapi(VERSION, SUBPROTOCOL, ENDPOINT)


def references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for item in node for found in references(item)]
    if not isinstance(node, dict):
        return []
    return [v for k, v in node.items() if k == "$ref"] + [
        found for value in node.values() for found in references(value)
    ]


def resolve(document: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        document = document[step]
    return document


def test_the_bundle_is_one_schema_and_says_what_the_files_say(example: tuple[Direction, str, Any]) -> None:
    direction, type_, message = example
    definition = {"$ref": f"#/$defs/{schema(direction, type_)['title']}", "$defs": BUNDLE["$defs"]}
    assert Draft202012Validator(definition).is_valid(message)


def test_references_lead_somewhere() -> None:
    Draft202012Validator.check_schema(BUNDLE)
    for document in (BUNDLE, ASYNCAPI):
        assert all(resolve(document, reference) for reference in references(document))


def test_the_asyncapi_document_has_every_message_and_a_reply_for_every_request() -> None:
    assert ASYNCAPI["asyncapi"] == "3.1.0"
    assert ASYNCAPI["channels"]["socket"]["address"] == ENDPOINT
    names = sorted(message["name"] for message in ASYNCAPI["components"]["messages"].values())
    assert names == sorted([*client_types(), *server_types()])
    received = {name for name, operation in ASYNCAPI["operations"].items() if operation["action"] == "receive"}
    assert received == set(client_types())
    assert all(len(ASYNCAPI["operations"][name]["reply"]["messages"]) == 2 for name in received)
