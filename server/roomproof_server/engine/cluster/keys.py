"""The names of keys and channels: all of one room on one server of a cluster, all of one user likewise.

A fixed number of partitions and not one hash tag a room, so that a node has few servers to ask about many rooms.
"""

from __future__ import annotations

from zlib import crc32

PARTITIONS = 128


class Keys:
    """Keys under one prefix; see `roomproof_server.engine.cluster.scripts` for what is in them."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._tags = [f"{prefix}{{p{n}}}:" for n in range(PARTITIONS)]

    def room(self, kind: str, room: str) -> str:
        """A key of a room, ``kind`` one letter; ``c`` is its channel."""
        return f"{self._tags[partition(room)]}{kind}:{room}"

    def mid(self, room: str, user: str, mid: str) -> str:
        """What a (user, mid) of a room stands for."""
        return f"{self._tags[partition(room)]}d:{room}:{mid}:{user}"

    def hosted(self, room: str, node: str) -> str:
        """The rooms of a partition in which a node has users."""
        return f"{self._tags[partition(room)]}h:{node}"

    def user(self, kind: str, user: str) -> str:
        """A key of a user, a guest's token or an address."""
        return f"{self._tags[partition(user)]}{kind}:{user}"

    def shard(self, kind: str, number: int, rest: str = "") -> str:
        """A key of the partition with this number."""
        return f"{self._tags[number]}{kind}:{rest}"


def partition(name: str) -> int:
    """The partition of a room or user."""
    return crc32(name.encode()) % PARTITIONS
