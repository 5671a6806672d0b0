"""Processes for liars that need not begin at nothing: what they import is imported once, and forked.

`nursery.py SOCKET` waits there for `start.py`, says one line when it is ready, and ends with its standard input;
`nursery.py --run PROGRAM [ARGUMENT]` runs one program in this process. A start costs a fifth of what it costs
otherwise, and the kit starts thousands in a table of liars. It must not know what a liar does.
"""

from __future__ import annotations

import gc
import importlib
import os
import random
import runpy
import selectors
import signal
import socket
import sys
import traceback
from array import array
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).resolve().parent
PROGRAMS = {"serve": "serve.py", "node": "node.py"}
"""Programs beside this file; `hook` is the reference's own hook."""
NEEDED = ("faults", "serve", "roomproof_server.hook", "roomproof_server.run", "roomproof_server.engine.sqlite")


def run(arguments: Sequence[str]) -> None:
    """Run a program here; raises SystemExit when it ends so."""
    name, *rest = arguments or ("",)
    if name == "hook":
        sys.argv = ["hook", *rest]
        runpy.run_module("roomproof_server.hook", run_name="__main__")
    elif name in PROGRAMS:
        sys.argv = [str(HERE / PROGRAMS[name]), *rest]
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        sys.exit(f"nursery.py: expected hook, {' or '.join(PROGRAMS)}, got {name or 'nothing'}")


def prepare() -> None:
    """Import and compile what nearly every program needs."""
    for name in NEEDED:
        importlib.import_module(name)
    from roomproof_protocol import check_request, client_types

    for type_ in client_types():
        check_request({"type": type_})
    gc.collect()
    gc.freeze()


class Nursery:
    """One listening socket; one connection and one child process for each program at work."""

    def __init__(self, path: str) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(path)
        self._listener.listen(64)
        self._children: dict[socket.socket, int] = {}
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        for end in (self._woken, self._waker):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        for source in (self._listener, self._woken, sys.stdin):
            self._selector.register(source, selectors.EVENT_READ)

    def attend(self) -> None:
        """Start, pass on, and tell of ends, until standard input ends."""
        while True:
            ready = {key.fileobj for key, _ in self._selector.select()}
            # Who was killed goes before who comes: the new one may want the same port.
            for client in [client for client in self._children if client in ready]:
                self._heard(client)
            if self._woken in ready:
                self._woken.recv(4096)
                self._reap()
            if self._listener in ready:
                self._start(self._listener.accept()[0])
            if sys.stdin in ready and not os.read(0, 4096):
                break
        for child in self._children.values():
            os.kill(child, signal.SIGKILL)

    def _start(self, client: socket.socket) -> None:
        data, control, _, _ = client.recvmsg(2**20, socket.CMSG_SPACE(3 * array("i").itemsize))
        fds = array("i")
        for _, _, given in control:
            fds.frombytes(given)
        if len(fds) != 3:  # it died before it could ask
            client.close()
            return
        child = os.fork()
        if child == 0:
            self._be(data.decode().split("\0"), fds)
        for fd in fds:
            os.close(fd)
        self._children[client] = child
        self._selector.register(client, selectors.EVENT_READ)

    def _be(self, words: list[str], fds: Sequence[int]) -> NoReturn:
        """Be the program: never returns."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            self._selector.close()
            for other in (self._listener, self._woken, self._waker, *self._children):
                other.close()
            for number, fd in enumerate(fds):
                os.dup2(fd, number)
                os.close(fd)
            at = words.index("")
            folder, *arguments = words[:at]
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(word.split("=", 1) for word in words[at + 1 :])
            random.seed()
            run(arguments)
            status = 0
        except SystemExit as ended:
            if isinstance(ended.code, str):
                print(ended.code, file=sys.stderr)
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except BaseException:  # as the interpreter itself would
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _heard(self, client: socket.socket) -> None:
        try:
            numbers = client.recv(64)
        except ConnectionError:
            numbers = b""
        child = self._children[client]
        for number in numbers:
            os.kill(child, number)
        if not numbers:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)  # only then is its port free
            self._forget(client)

    def _reap(self) -> None:
        for client, child in list(self._children.items()):
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                with suppress(ConnectionError):  # it was killed meanwhile
                    client.send(str(status).encode())
                self._forget(client)

    def _forget(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        del self._children[client]
        client.close()


def main(arguments: Sequence[str]) -> None:
    if arguments[:1] == ["--run"]:
        run(arguments[1:])
        return
    if len(arguments) != 1:
        sys.exit("nursery.py: expected the path of a socket, or --run and a program")
    prepare()
    nursery = Nursery(arguments[0])
    print("ready", flush=True)
    nursery.attend()


if __name__ == "__main__":
    main(sys.argv[1:])
