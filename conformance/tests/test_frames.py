"""The tolerant reader against the library's on valid traffic, and each fault by its name."""

from __future__ import annotations

import itertools
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets import frames as library
from websockets.client import ClientProtocol
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from roomproof_conformance.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    EVIDENCE,
    FAULTS,
    PING,
    PONG,
    TEXT,
    Fault,
    Frame,
    FrameReader,
    Message,
    MessageAssembler,
    close_code_allowed,
    deflate,
    serialize,
)


def write(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = False) -> bytes:
    return serialize(Frame(opcode, payload, fin, rsv, masked))


def closing(code: int, reason: bytes = b"") -> bytes:
    return write(CLOSE, struct.pack("!H", code) + reason)


def read(data: bytes, *, eof: bool = False) -> list[Frame | Fault]:
    reader = FrameReader()
    return [*reader.feed(data), *(reader.eof() if eof else [])]


def fault_names(items: list[Frame | Fault]) -> list[str]:
    return [item.name for item in items if isinstance(item, Fault)]


def chunks(data: bytes, sizes: list[int]) -> list[bytes]:
    """`data` in pieces of these sizes, over and over."""
    pieces, start, turn = [], 0, 0
    while start < len(data):
        pieces.append(data[start : start + sizes[turn % len(sizes)]])
        start += len(pieces[-1])
        turn += 1
    return pieces


# Valid traffic: control frames anywhere, fragments cut inside characters, at most one close at the end.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40).map(str.encode)
sizes = st.sampled_from([0, 1, 125, 126, 127, 65535, 65536])
payloads = st.one_of(st.binary(max_size=40), sizes.map(bytes))
controls = st.lists(st.builds(Frame, st.sampled_from([PING, PONG]), st.binary(max_size=125)), max_size=2)


@st.composite
def messages(draw: st.DrawFn) -> list[Frame]:
    opcode = draw(st.sampled_from([TEXT, BINARY]))
    payload = draw(texts if opcode == TEXT else payloads)
    cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=3)))
    bounds = [0, *cuts, len(payload)]
    frames: list[Frame] = []
    for number, (start, end) in enumerate(itertools.pairwise(bounds)):
        kind = opcode if number == 0 else CONTINUATION
        frames += [*draw(controls), Frame(kind, payload[start:end], fin=number == len(cuts))]
    return frames


closes: st.SearchStrategy[list[Frame]] = st.one_of(
    st.just([]),
    st.just([Frame(CLOSE, b"")]),
    st.builds(
        lambda code, reason: [Frame(CLOSE, struct.pack("!H", code) + reason[:120].decode(errors="ignore").encode())],
        st.sampled_from([*sorted(library.EXTERNAL_CLOSE_CODES), 3000, 4999]),
        texts,
    ),
)
traffic = st.builds(
    lambda parts, end: [frame for part in [*parts, end] for frame in part],
    st.lists(messages(), max_size=4),
    closes,
)


@given(traffic, st.lists(st.integers(1, 200), min_size=1, max_size=4))
def test_valid_traffic_reads_as_the_library_reads_it(frames: list[Frame], pieces: list[int]) -> None:
    data = b"".join(serialize(frame) for frame in frames)
    reader = FrameReader()
    found = [item for piece in chunks(data, pieces) for item in reader.feed(piece)]
    assert found == frames
    assert reader.buffered == 0
    assert reader.eof() == []
    other = ClientProtocol(parse_uri("ws://host/"), state=State.OPEN)
    other.receive_data(data)
    theirs = [event for event in other.events_received() if isinstance(event, library.Frame)]
    assert [(f.opcode, bytes(f.data), f.fin) for f in theirs] == [(f.opcode, f.payload, f.fin) for f in frames]
    assert other.parser_exc is None


@given(st.binary(max_size=300), st.lists(st.integers(1, 50), min_size=1, max_size=3))
def test_no_bytes_make_it_raise_and_chunking_changes_nothing(data: bytes, pieces: list[int]) -> None:
    reader = FrameReader()
    found = [item for piece in chunks(data, pieces) for item in reader.feed(piece)] + list(reader.eof())
    whole = read(data, eof=True)
    assert [item for item in found if isinstance(item, Frame)] == [item for item in whole if isinstance(item, Frame)]
    assert fault_names(found) == fault_names(whole)


FAULTY = {
    "reserved-bits": write(TEXT, b"hi", rsv=2),
    "reserved-opcode": write(3, b"hi"),
    "masked-by-server": write(TEXT, b"hi", masked=True),
    "length-not-minimal": b"\x81\x7e\x00\x02hi",
    "length-64-bit-sign": b"\x82\x7f\x80" + bytes(7),
    "control-fragmented": write(PING, b"hi", fin=False),
    "control-too-long": write(PING, bytes(126)),
    "bad-continuation": write(CONTINUATION, b"hi"),
    "unfinished-fragment": write(TEXT, b"h", fin=False) + write(TEXT, b"hi"),
    "text-utf8": write(TEXT, b"\xff"),
    "close-payload-short": write(CLOSE, b"\x03"),
    "close-code-reserved": closing(1005),
    "close-reason-utf8": closing(1000, b"\xff"),
    "data-after-close": closing(1000) + write(TEXT, b"late"),
    "http-in-stream": b"HTTP/1.1 500 Internal Server Error\r\nServer: x\r\n\r\noops",
}


@pytest.mark.parametrize("name", FAULTY)
def test_fault(name: str) -> None:
    assert fault_names(read(FAULTY[name])) == [name]


@pytest.mark.parametrize("name", sorted(FAULTY.keys() - {"length-64-bit-sign", "http-in-stream", "data-after-close"}))
def test_reads_on_after_a_fault(name: str) -> None:
    last = read(FAULTY[name] + write(PONG, b"next"))[-1]
    assert last == Frame(PONG, b"next")


def test_every_fault_has_a_test() -> None:
    assert FAULTS.keys() - FAULTY.keys() == {"truncated-frame", "deflate-data"}


@pytest.mark.parametrize(
    "data", [b"\x81", b"\x81\x7e\x01", write(TEXT, b"hello")[:-1], b"HT", b"\x82\x7f\xff" + bytes(7)]
)
def test_truncated_frame(data: bytes) -> None:
    reader = FrameReader()
    reader.feed(data)
    assert [fault.name for fault in reader.eof()] == ["truncated-frame"]


def test_a_head_s_faults_come_before_its_payload() -> None:
    reader = FrameReader()
    data = write(PING, bytes(200), fin=False, rsv=1)
    assert fault_names(reader.feed(data[:4])) == ["reserved-bits", "control-fragmented", "control-too-long"]
    assert reader.feed(data[4:]) == [Frame(PING, bytes(200), False, 1)]


def test_a_masked_frame_is_unmasked() -> None:
    assert read(write(TEXT, "é".encode(), masked=True))[-1] == Frame(TEXT, "é".encode(), masked=True)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535])
def test_reserved_close_codes(code: int) -> None:
    fault, frame = read(closing(code, b"why"))
    assert isinstance(fault, Fault)
    assert fault.name == "close-code-reserved"
    assert isinstance(frame, Frame)
    assert (frame.close_code, frame.close_reason) == (code, "why")


@pytest.mark.parametrize("code", [1000, 1003, 1007, 1011, 1012, 1014, 3000, 4400, 4999])
def test_close_codes_for_the_wire(code: int) -> None:
    assert close_code_allowed(code)
    assert fault_names(read(closing(code))) == []


def test_text_is_checked_across_fragments_and_named_once() -> None:
    good = "aé".encode()
    assert fault_names(read(write(TEXT, good[:2], fin=False) + write(CONTINUATION, good[2:]))) == []
    cut_off = write(TEXT, good[:2], fin=False) + write(CONTINUATION, b"")
    assert fault_names(read(cut_off)) == ["text-utf8"]
    twice = write(TEXT, b"\xff", fin=False) + write(CONTINUATION, b"\xff")
    assert fault_names(read(twice)) == ["text-utf8"]


@pytest.mark.parametrize("last", [closing(1000), b""])
def test_a_message_left_unfinished_by_the_end(last: bytes) -> None:
    assert fault_names(read(write(TEXT, b"h", fin=False) + last, eof=True)) == ["unfinished-fragment"]


def test_pings_may_follow_a_close_and_the_rest_is_named_once() -> None:
    assert fault_names(read(closing(1000) + write(PONG))) == []
    assert fault_names(read(closing(1000) + write(TEXT) + write(TEXT))) == ["data-after-close"]


def test_an_http_page_is_one_fault_with_its_status_line() -> None:
    page = FAULTY["http-in-stream"]
    reader = FrameReader()
    found = [item for byte in (write(TEXT, b"hi") + page) for item in reader.feed(bytes([byte]))]
    assert found[0] == Frame(TEXT, b"hi")
    assert isinstance(found[1], Fault)
    assert (found[1].name, found[1].detail) == ("http-in-stream", "HTTP/1.1 500 Internal Server Error")
    assert len(found) == 2
    assert reader.eof() == []
    assert fault_names(read(b"HTTP/1.1 500 cut", eof=True)) == ["http-in-stream"]


def test_memory_is_bounded_with_a_hostile_frame() -> None:
    reader = FrameReader(limit=1000)
    size = 100 * 2**20
    reader.feed(b"\x81\x7f" + struct.pack("!Q", size))
    block = b"x" * 2**20
    for _ in range(99):
        assert reader.feed(block) == []
        assert reader.buffered <= 1000
    (frame,) = reader.feed(block)
    assert frame == Frame(TEXT, b"x" * 1000, omitted=size - 1000)
    assert isinstance(frame, Frame)
    assert frame.length == size


def test_evidence_is_bounded() -> None:
    for data in (write(TEXT, b"\xff" * 10_000), b"HTTP/1.1 " + b"x" * 10_000):
        (fault,) = [item for item in read(data, eof=True) if isinstance(item, Fault)]
        assert len(fault.data) == EVIDENCE
        assert fault.section.startswith("RFC 6455 ")


def test_names_and_display() -> None:
    assert [Frame(code, b"").name for code in (0, 1, 2, 8, 9, 10, 3, 11)] == [
        "continuation", "text", "binary", "close", "ping", "pong", "reserved-3", "reserved-11",
    ]  # fmt: skip
    assert Frame(TEXT, b"a\xff").text == "a\udcff"
    assert Frame(CLOSE, b"").close_code is None
    assert Frame(TEXT, b"abc").close_code is None


# Writing


@given(st.builds(Frame, st.integers(0, 15), payloads, st.booleans(), st.integers(0, 7), st.booleans()))
def test_whatever_is_written_is_read_back(frame: Frame) -> None:
    assert [item for item in read(serialize(frame)) if isinstance(item, Frame)] == [frame]
    assert [item for item in read(serialize(frame, b"\0\xff\1\2")) if isinstance(item, Frame)] == [frame]


@given(traffic)
def test_a_server_of_the_library_reads_what_is_written(frames: list[Frame]) -> None:
    server = ServerProtocol(state=State.OPEN)
    for frame in frames:
        server.receive_data(serialize(Frame(frame.opcode, frame.payload, frame.fin, masked=True)))
    received = [event for event in server.events_received() if isinstance(event, library.Frame)]
    assert [(f.opcode, bytes(f.data), f.fin) for f in received] == [(f.opcode, f.payload, f.fin) for f in frames]


def test_a_mask_key_can_be_chosen() -> None:
    assert serialize(Frame(TEXT, b"hi", masked=True), b"\0\0\0\0") == b"\x81\x82\0\0\0\0hi"


# Messages


def assemble(assembler: MessageAssembler, *frames: Frame) -> list[Message | Fault]:
    return [item for item in map(assembler.feed, frames) if item is not None]


@given(traffic)
def test_fragments_are_joined(frames: list[Frame]) -> None:
    joined = [item for item in assemble(MessageAssembler(), *frames) if isinstance(item, Message)]
    data = [frame for frame in frames if frame.opcode in (TEXT, BINARY, CONTINUATION)]
    assert b"".join(message.payload for message in joined) == b"".join(frame.payload for frame in data)
    assert [message.text for message in joined] == [f.opcode == TEXT for f in data if f.opcode != CONTINUATION]
    assert sum(message.frames for message in joined) == len(data)
    assert all(isinstance(message.value, str) == message.text for message in joined)


def test_faulty_sequences_lose_only_themselves() -> None:
    assembler = MessageAssembler()
    assert assemble(assembler, Frame(CONTINUATION, b"x"), Frame(TEXT, b"a", fin=False), Frame(TEXT, b"b")) == [
        Message(True, b"b", 1)
    ]
    assert assemble(assembler, Frame(TEXT, b"\xff")) == [Message(True, b"\xff", 1)]


def test_a_message_of_many_fragments_is_bounded() -> None:
    assembler = MessageAssembler(limit=10)
    first, last = Frame(TEXT, b"12345678", fin=False), Frame(CONTINUATION, b"12345678", omitted=5)
    assert assemble(assembler, first, last) == [Message(True, b"1234567812", 2, omitted=11)]


@pytest.mark.parametrize("takeover", [False, True])
def test_compressed_messages(takeover: bool) -> None:
    coder = zlib.compressobj(wbits=-15)
    assembler, reader = MessageAssembler(deflate=True), FrameReader(deflate=True)
    for text in ("hello", "hello", "é" * 500):
        packed = deflate(text.encode())
        if takeover:
            packed = (coder.compress(text.encode()) + coder.flush(zlib.Z_SYNC_FLUSH))[:-4]
        data = write(TEXT, packed[:3], fin=False, rsv=4) + write(CONTINUATION, packed[3:])
        frames = [item for item in reader.feed(data) if isinstance(item, Frame)]
        assert assemble(assembler, *frames) == [Message(True, text.encode(), 2)]
    assert fault_names(reader.feed(write(PING, rsv=4))) == ["reserved-bits"]


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (b"\xff\xff\xff", "deflate-data"),
        (deflate(bytes(2000)), "deflate-data"),
        (deflate(b"\xff"), "text-utf8"),
    ],
)
def test_compressed_faults(payload: bytes, name: str) -> None:
    assembler = MessageAssembler(deflate=True, limit=1000)
    (fault,) = assemble(assembler, Frame(TEXT, payload, rsv=4))
    assert isinstance(fault, Fault)
    assert fault.name == name
    assert assemble(assembler, Frame(TEXT, deflate(b"good"), rsv=4)) == [Message(True, b"good", 1)]
