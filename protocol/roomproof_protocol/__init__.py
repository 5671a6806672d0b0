"""roomproof.v1 as data and as rules: messages, codes, limits, requirements, and how to read a frame.

The other packages take everything that belongs to the protocol from here, so that nothing is spelled twice.
No sockets, no clock, no state. Importing it reads no table and no schema: those come when first asked for.
"""

from roomproof_protocol.closes import (
    CLOSES,
    Advice,
    CloseBlock,
    CloseCode,
    close_advice,
    close_blocks,
    retry_after,
)
from roomproof_protocol.codec import MAX_DEPTH, decode, encode, encode_plain
from roomproof_protocol.errors import ERRORS, ErrorCode, ProtocolError
from roomproof_protocol.grammar import (
    MAX_INT,
    is_identifier,
    is_mid,
    is_room,
    is_user_id,
    name_fault,
    normalise_name,
    room_fault,
    text_fault,
    utf8_length,
)
from roomproof_protocol.limits import DEFAULTS, FrameRate, Heartbeat, Limits, MessageQuota, PerAddress, Window
from roomproof_protocol.messages import (
    SchemaFault,
    check_message,
    check_request,
    client_types,
    schema,
    server_types,
)
from roomproof_protocol.requests import check_frame, parse_request
from roomproof_protocol.requirements import (
    Requirement,
    UnknownRequirement,
    capabilities,
    requirement,
    requirements,
)

VERSION = "1"
SUBPROTOCOL = "roomproof.v1"
ENDPOINT = "/ws"

__all__ = [
    "CLOSES",
    "DEFAULTS",
    "ENDPOINT",
    "ERRORS",
    "MAX_DEPTH",
    "MAX_INT",
    "SUBPROTOCOL",
    "VERSION",
    "Advice",
    "CloseBlock",
    "CloseCode",
    "ErrorCode",
    "FrameRate",
    "Heartbeat",
    "Limits",
    "MessageQuota",
    "PerAddress",
    "ProtocolError",
    "Requirement",
    "SchemaFault",
    "UnknownRequirement",
    "Window",
    "capabilities",
    "check_frame",
    "check_message",
    "check_request",
    "client_types",
    "close_advice",
    "close_blocks",
    "decode",
    "encode",
    "encode_plain",
    "is_identifier",
    "is_mid",
    "is_room",
    "is_user_id",
    "name_fault",
    "normalise_name",
    "parse_request",
    "requirement",
    "requirements",
    "retry_after",
    "room_fault",
    "schema",
    "server_types",
    "text_fault",
    "utf8_length",
]
