"""Users who say little: connections that idle, and members who read what was said before."""

from __future__ import annotations

from .base import ChatUser


class LongIdle(ChatUser):
    """Connections on which nothing happens but heartbeats, and a message of each user every half a minute.

    It stands for the tabs that everybody leaves open, most of what a chat service holds. A server that pings must get
    its answers and keep everybody; one that forgets who is there shows it when somebody speaks.
    """

    def pace(self) -> float:
        return min(self.stage.honest_rate(), 1 / 30.0)


class HistoryHammering(ChatUser):
    """Members who ask for history again and again while others talk.

    It stands for everybody who scrolls back. Half of a room's members talk, the others ask (or, where the server gives
    history at joining only, come back for it). What they get must have no holes, and what they hear live no delay.
    """

    def act(self) -> None:
        if self.index % 2 == 0:
            super().act()
            return
        room = self.rooms[0]
        if self.stage.dialect.offers("history"):
            limit = {"limit": self.stage.parameters["history_limit"]}
            given = limit if self.stage.dialect.accepts("history", "limit") else {}
            self.voice.wait(self.voice.ask("history", room, **given))
        else:
            self.voice.close()
            self.enter()
