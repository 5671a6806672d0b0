"""Storms: everybody comes at once, again and again, or after a restart."""

from __future__ import annotations

import gevent

from .base import ChatUser


class JoinStorm(ChatUser):
    """Users who come, join, say one thing, stay a moment, go, and come back, all the time.

    It stands for phones on a train and for a page that reloads: the server's time goes into handshakes, joins with
    their history, and notices of presence. Every second departure is a cut connection instead of a Close. The seam
    between the history of a join and what is said meanwhile is what breaks here.
    """

    def pace(self) -> float:
        return 1.0 / max(0.05, float(self.stage.parameters["stay"]))

    def turn_over(self) -> None:
        if self.rng.random() < 0.5:
            self.voice.close()
        else:
            self.voice.vanish()

    def act(self) -> None:
        self.voice.say(self.rooms[0], self.stage.parameters["size"])
        gevent.sleep(self.rng.uniform(0.05, 0.2))
        if not self.stage.quiet:
            self.turn_over()
            self.enter()


class ResumeStorm(ChatUser):
    """Steady chat through a restart of the server, after which everybody comes back at once for what was missed.

    It stands for a deployment, or a crash. Who starts the server (`roomproof-load --start`) restarts it in the middle;
    users come back by themselves, with the token and the last number they had, where the dialect has such, and what
    was acknowledged before the restart must be there. Without a server to restart every user breaks its connection
    off at that time instead.
    """

    def on_start(self) -> None:
        super().on_start()
        self._back = gevent.spawn(self._come_back)

    def on_stop(self) -> None:
        self._back.kill(block=False)
        super().on_stop()

    def _come_back(self) -> None:
        while True:
            gevent.sleep(self.rng.uniform(0.1, 0.4))
            if not self.voice.open and not self.stage.quiet:
                self.enter(resume=True)

    def step(self) -> None:
        if self.voice.open and self.inside:  # another greenlet brings it back
            self.act()
