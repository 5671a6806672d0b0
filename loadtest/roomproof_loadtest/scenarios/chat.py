"""Chat as it is most of the time: many small rooms, or one large one."""

from __future__ import annotations

from roomproof_loadtest.user import Voice

from .base import ChatUser


class SteadyChat(ChatUser):
    """Many rooms of a few members each, in which everybody says something now and then.

    It stands for the ordinary hour of a chat service: the server's time goes into reading many small messages, each
    of which goes to a handful of members. Every member of every judged room is followed.
    """


class HotRoom(ChatUser):
    """One room that everybody is in: a few talk, the rest listen.

    It stands for a broadcast, a class, a live event. One message becomes a thousand deliveries, so the server's time
    goes into writing. Members who only listen are kept by a lean process (see `listeners`); the users of locust talk.
    With `--listeners users` the listeners are users of locust, too.
    """

    def choose_rooms(self) -> list[str]:
        return [self.stage.hot_room]

    def judged(self) -> bool:
        return True

    def pace(self) -> float:
        if self.index >= self.stage.parameters["talkers"]:
            return 1 / 30.0  # looks whether it is still there, and says nothing
        return self.stage.honest_rate()

    def act(self) -> None:
        if self.index < self.stage.parameters["talkers"]:
            super().act()


__all__ = ["HotRoom", "SteadyChat", "Voice"]
