"""Types of every message.

Generated from schemas/ by `python -m roomproof_protocol.generate` (datamodel-code-generator); do not edit.
"""

from typing import Literal, NotRequired, TypeAlias, TypedDict

Id: TypeAlias = str


Mid: TypeAlias = str


Epoch: TypeAlias = str


Room: TypeAlias = str


Text: TypeAlias = str


Name: TypeAlias = str


UserId: TypeAlias = str


String: TypeAlias = str


Token: TypeAlias = str


Seq: TypeAlias = int


Count: TypeAlias = int


TimeMs: TypeAlias = int


DurationMs: TypeAlias = int


class Position(TypedDict):
    """A place in a room's stream: everything up to `seq` was seen."""

    epoch: Epoch
    seq: Count


class Product(TypedDict):
    """Name and version of a program."""

    name: String
    version: String


class User(TypedDict):
    """A user as others see them."""

    id: UserId
    name: Name


class Window(TypedDict):
    """`count` events in any `window_ms` milliseconds."""

    count: Count
    window_ms: DurationMs


class Quota(TypedDict):
    """A message quota and whose it is."""

    count: Count
    window_ms: DurationMs
    scope: Literal["user", "address"]


ReplayedMessage = TypedDict(
    "ReplayedMessage",
    {
        "type": Literal["message"],
        "room": Room,
        "epoch": Epoch,
        "seq": Seq,
        "ts": TimeMs,
        "from": User,
        "text": Text,
    },
)


ErrorCode: TypeAlias = Literal[
    "invalid_json",
    "unsupported_data",
    "invalid_message",
    "unknown_type",
    "already_identified",
    "invalid_room",
    "invalid_name",
    "invalid_text",
    "invalid_cursor",
    "text_too_long",
    "not_joined",
    "forbidden",
    "room_not_found",
    "room_full",
    "banned",
    "too_many_rooms",
    "mid_conflict",
    "rate_limited",
    "unauthenticated",
    "token_expired",
    "unsupported_auth",
    "too_many_connections",
    "unavailable",
    "draining",
    "internal",
]


class AuthRequest(TypedDict):
    """Renew the credentials of this connection in place (AUTH-4)."""

    type: Literal["auth"]
    id: Id
    token: Token


class Credentials(TypedDict):
    """How the client proves who it is; a guest without it."""

    scheme: NotRequired[String]
    token: NotRequired[Token]


class HelloRequest(TypedDict):
    """The first message on a connection: who the client is (CONN-4)."""

    type: Literal["hello"]
    id: Id
    auth: NotRequired[Credentials]
    name: NotRequired[Name]
    client: NotRequired[Product]
    caps: NotRequired[list[String]]


class HistoryRequest(TypedDict):
    """Read retained messages before or after a number (HIST-5, HIST-6); the latest without either."""

    type: Literal["history"]
    id: Id
    room: Room
    before: NotRequired[Count]
    after: NotRequired[Count]
    limit: NotRequired[int]
    epoch: NotRequired[Epoch]


class JoinRequest(TypedDict):
    """Become a member of a room and get its newest messages, or those missed since `after`."""

    type: Literal["join"]
    id: Id
    room: Room
    after: NotRequired[Position]
    history: NotRequired[int]


class LeaveRequest(TypedDict):
    """Give up membership of a room; harmless where there is none (ROOM-7)."""

    type: Literal["leave"]
    id: Id
    room: Room


class PingRequest(TypedDict):
    """Ask for a sign of life (BEAT-2)."""

    type: Literal["ping"]
    id: Id


class PresenceRequest(TypedDict):
    """Ask who is in a room."""

    type: Literal["presence"]
    id: Id
    room: Room


class SendRequest(TypedDict):
    """Send a text to a room the client is a member of."""

    type: Literal["send"]
    id: Id
    room: Room
    text: Text
    mid: NotRequired[Mid]


class AuthOk(TypedDict):
    """The credentials are renewed (AUTH-4)."""

    type: Literal["auth_ok"]
    re: Id
    expires_at: TimeMs


class LimitHit(TypedDict):
    """The limit that was hit: a number, or a message quota."""

    count: Count
    window_ms: DurationMs
    scope: NotRequired[Literal["user", "address"]]


class ErrorMessage(TypedDict):
    """A request, or a frame that was none, could not be honoured."""

    type: Literal["error"]
    re: Id | None
    code: ErrorCode
    message: str
    fatal: bool
    retryable: bool
    retry_after_ms: NotRequired[DurationMs]
    field: NotRequired[str]
    limit: NotRequired[LimitHit | int]


class HistoryPage(TypedDict):
    """Retained messages, ascending (HIST-5, HIST-6)."""

    type: Literal["history"]
    re: Id
    room: Room
    epoch: Epoch
    head: Count
    first: Seq
    messages: list[ReplayedMessage]
    more: bool


class Joined(TypedDict):
    """The client is a member; here is what it needs to go on (HIST-1, RES-1)."""

    type: Literal["joined"]
    re: Id
    room: Room
    epoch: Epoch
    head: Count
    first: Seq
    messages: list[ReplayedMessage]
    recovered: bool
    reason: NotRequired[Literal["epoch_changed", "too_old", "ahead"]]
    missed: NotRequired[Seq]
    already: bool
    count: Count


class Left(TypedDict):
    """The client is no member any more (ROOM-6)."""

    type: Literal["left"]
    re: Id
    room: Room


Message = TypedDict(
    "Message",
    {
        "type": Literal["message"],
        "room": Room,
        "epoch": Epoch,
        "seq": Seq,
        "ts": TimeMs,
        "from": User,
        "text": Text,
        "mid": NotRequired[Mid],
    },
)


class Notice(TypedDict):
    """Something the user or the client program should know."""

    type: Literal["notice"]
    code: Literal["draining", "auth_expiring", "degraded"]
    message: String
    reconnect_after_ms: NotRequired[DurationMs]
    expires_at: NotRequired[TimeMs]


class Pong(TypedDict):
    """The answer to `ping` (BEAT-2)."""

    type: Literal["pong"]
    re: Id
    now: TimeMs


class Presence(TypedDict):
    """Who is in a room (PRES-1)."""

    type: Literal["presence"]
    re: Id
    room: Room
    members: list[User]
    count: Count
    truncated: bool


class PresenceEvent(TypedDict):
    """Another user came or went (PRES-2)."""

    type: Literal["presence_event"]
    room: Room
    event: Literal["join", "leave"]
    user: User
    count: Count


class Removed(TypedDict):
    """(reserved) The client was removed from a room."""

    type: Literal["removed"]
    room: Room
    code: ErrorCode


class Reset(TypedDict):
    """The stream changed under a member, who must `join` again (ROOM-12)."""

    type: Literal["reset"]
    room: Room
    epoch: Epoch
    head: Count
    reason: Literal["epoch_changed", "gap"]


class Sent(TypedDict):
    """The message is kept, under this number (MSG-1)."""

    type: Literal["sent"]
    re: Id
    room: Room
    epoch: Epoch
    seq: Seq
    ts: TimeMs
    mid: NotRequired[Mid]
    duplicate: bool


class Tick(TypedDict):
    """A sign of life where there is nothing else to send (BEAT-3)."""

    type: Literal["tick"]
    now: TimeMs


class OwnUser(TypedDict):
    """Who the client is on this connection."""

    id: UserId
    name: Name
    guest: bool


class HeartbeatTimes(TypedDict):
    """I and T of the heartbeat."""

    interval_ms: DurationMs
    timeout_ms: DurationMs


class FrameRate(TypedDict):
    """Client messages on one connection (RATE-12)."""

    rate: Count
    burst: Count


class PerAddress(TypedDict):
    """Limits of one network address, null where none hold (RATE-14)."""

    conns: Count
    guests: Window
    messages: Window


class AdvertisedLimits(TypedDict):
    """Every number that limits the client."""

    frame_bytes: Count
    text_bytes: Count
    room_len: Count
    name_len: Count
    rooms_per_conn: Count
    conns_per_user: Count
    history: Count
    page: Count
    messages: Quota
    frames: FrameRate
    errors: Window
    dedup_ms: DurationMs
    hello_ms: DurationMs
    presence_max: Count
    presence_grace_ms: DurationMs
    queue_bytes: Count
    server_frame_bytes: Count
    room_ttl_ms: DurationMs
    guest_ttl_ms: DurationMs
    per_address: PerAddress | None


class Welcome(TypedDict):
    """The answer to a valid `hello` (CONN-6, CONN-7)."""

    type: Literal["welcome"]
    re: Id
    v: Literal["1"]
    conn: String
    user: OwnUser
    guest_token: NotRequired[Token]
    auth_expires_at: NotRequired[TimeMs]
    now: TimeMs
    server: Product
    heartbeat: HeartbeatTimes
    limits: AdvertisedLimits
    durability: Literal["memory", "disk", "engine", "replicated"]
    caps: list[String]


ClientMessage: TypeAlias = (
    AuthRequest
    | HelloRequest
    | HistoryRequest
    | JoinRequest
    | LeaveRequest
    | PingRequest
    | PresenceRequest
    | SendRequest
)


ServerMessage: TypeAlias = (
    AuthOk
    | ErrorMessage
    | HistoryPage
    | Joined
    | Left
    | Message
    | Notice
    | Pong
    | Presence
    | PresenceEvent
    | Removed
    | Reset
    | Sent
    | Tick
    | Welcome
)


AnyMessage: TypeAlias = ClientMessage | ServerMessage
