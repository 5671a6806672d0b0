"""Codecs: one for each kind of wire, by the name that a dialect file gives it.

Another wire is one more module with a `Codec`; those that run somebody's own code come in as plug-ins (`plugins`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from . import irc, jsons, plain, socketio, xml
from .base import Codec, Outgoing, Unreadable

CODECS: Final[Mapping[str, Codec]] = {
    codec.name: codec for codec in (jsons.JSON, jsons.BATCH, plain.TEXT, irc.IRC, xml.XML, socketio.SOCKETIO)
}

__all__ = ["CODECS", "Codec", "Outgoing", "Unreadable"]
