"""Start one of the liars' programs: by the nursery where there is one, by itself otherwise.

`start.py PROGRAM [ARGUMENT]` has a PROGRAM that `nursery.run` knows. With ROOMPROOF_NURSERY (a socket) the nursery
forks a process that has imported everything already; this one stands for it: passes on signals, ends as it ends, and
takes it along when it is killed. Only what starts in a hundredth of a second is imported here.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from array import array

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


def by_itself(arguments: list[str]) -> None:
    """Become the program."""
    nursery = os.path.join(os.path.dirname(os.path.abspath(__file__)), "nursery.py")
    os.execv(sys.executable, [sys.executable, nursery, "--run", *arguments])


def by_nursery(path: str, arguments: list[str]) -> int:
    """Have the nursery at `path` run the program, and stand for it; its wait status."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as nursery:
        nursery.connect(path)

        def pass_on(number: int, _: object) -> None:
            nursery.send(bytes([number]))

        for number in PASSED_ON:
            signal.signal(number, pass_on)
        words = [os.getcwd(), *arguments, "", *(f"{name}={value}" for name, value in os.environ.items())]
        fds = array("i", (0, 1, 2))
        nursery.sendmsg(["\0".join(words).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        return int(nursery.recv(16) or b"9")  # a nursery that died took its children along


def end_as(status: int) -> int:
    """Die of the signal that `status` tells of; or the exit code."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    return os.WEXITSTATUS(status)


if __name__ == "__main__":
    if path := os.environ.get("ROOMPROOF_NURSERY"):
        sys.exit(end_as(by_nursery(path, sys.argv[1:])))
    by_itself(sys.argv[1:])
