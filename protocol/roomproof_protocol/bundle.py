"""All message schemas as one document, and the AsyncAPI export made of it.

Both are derived: what a message is stands in its own schema file. Development only; nothing at run time
imports this module.
"""

from __future__ import annotations

from typing import Any

from roomproof_protocol.data import schema_file
from roomproof_protocol.messages import Direction, client_types, server_types

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_FILE_ONLY = frozenset({"$id", "$schema", "examples", "x-invalid-examples"})


def bundle() -> dict[str, Any]:
    """Give one schema: shared values and messages under `$defs` by title, and a union for each direction."""
    unions = {"ClientMessage": titles("client"), "ServerMessage": titles("server")}
    definitions = {form["title"]: _rebased(form) for form in _common().values()}
    for direction, types in _directions():
        for type_ in types:
            form = schema_file(f"{direction}/{type_}.json")
            definitions[form["title"]] = _rebased(form)
    for union, members in unions.items():
        definitions[union] = {"title": union, "anyOf": [_ref(title) for title in members]}
    return {
        "$schema": DIALECT,
        "title": "AnyMessage",
        "anyOf": [_ref(union) for union in unions],
        "$defs": definitions,
    }


def titles(direction: Direction) -> list[str]:
    """Give the titles of a direction's messages, in the order of their types."""
    types = client_types() if direction == "client" else server_types()
    return [schema_file(f"{direction}/{type_}.json")["title"] for type_ in types]


def asyncapi(version: str, subprotocol: str, endpoint: str) -> dict[str, Any]:
    """Give the AsyncAPI 3.1 document, written from the server's side."""
    channel = {"$ref": "#/channels/socket"}
    messages: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for direction, types in _directions():
        for type_ in types:
            form = schema_file(f"{direction}/{type_}.json")
            messages[form["title"]] = {
                "name": type_,
                "title": form["title"],
                "summary": form["description"],
                "contentType": "application/json",
                "payload": {"$ref": f"#/components/schemas/{form['title']}"},
                "examples": [{"payload": example} for example in form["examples"]],
            }
            if direction == "client":
                reply = schema_file(f"server/{form['x-reply']}.json")["title"]
                operations[type_] = {
                    "action": "receive",
                    "channel": channel,
                    "summary": form["description"],
                    "messages": [_on_channel(form["title"])],
                    "reply": {
                        "channel": channel,
                        "messages": [_on_channel(reply), _on_channel("ErrorMessage")],
                    },
                }
    replies = {schema_file(f"client/{type_}.json")["x-reply"] for type_ in client_types()}
    for type_ in server_types():
        if type_ not in replies:
            form = schema_file(f"server/{type_}.json")
            operations[type_] = {
                "action": "send",
                "channel": channel,
                "summary": form["description"],
                "messages": [_on_channel(form["title"])],
            }
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": subprotocol,
            "version": version,
            "description": "Chat rooms over one WebSocket: text frames, one JSON object per frame. "
            "Generated from the message schemas, which are JSON Schema 2020-12 and the authority.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "socket": {
                "address": endpoint,
                "messages": {title: {"$ref": f"#/components/messages/{title}"} for title in messages},
                "bindings": {
                    "ws": {
                        "method": "GET",
                        "headers": {
                            "type": "object",
                            "properties": {"Sec-WebSocket-Protocol": {"const": subprotocol}},
                        },
                        "bindingVersion": "0.1.0",
                    }
                },
            }
        },
        "operations": operations,
        "components": {
            "messages": messages,
            "schemas": {
                title: _renamed(form)
                for title, form in bundle()["$defs"].items()
                if title not in {"ClientMessage", "ServerMessage"}
            },
        },
    }


def _common() -> dict[str, dict[str, Any]]:
    common: dict[str, dict[str, Any]] = schema_file("common.json")["$defs"]
    return common


def _directions() -> list[tuple[Direction, tuple[str, ...]]]:
    return [("client", client_types()), ("server", server_types())]


def _ref(title: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{title}"}


def _on_channel(title: str) -> dict[str, str]:
    return {"$ref": f"#/channels/socket/messages/{title}"}


def _rebased(node: Any) -> Any:
    """Copy a schema, references leading into the bundle, without what belongs to the file alone."""
    if isinstance(node, list):
        return [_rebased(item) for item in node]
    if not isinstance(node, dict):
        return node
    copy = {key: _rebased(value) for key, value in node.items() if key not in _FILE_ONLY}
    if "$ref" in copy:
        copy |= _ref(_common()[copy["$ref"].rpartition("/")[2]]["title"])
    return copy


def _renamed(node: Any) -> Any:
    if isinstance(node, list):
        return [_renamed(item) for item in node]
    if isinstance(node, dict):
        return {key: _renamed(value) for key, value in node.items()}
    return node.replace("#/$defs/", "#/components/schemas/") if isinstance(node, str) else node
