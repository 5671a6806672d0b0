"""Where a node can be reached besides TCP: TLS from files, and sockets of the file system.

Whatever is wrong with a file is one line. It must not know connections.
"""

from __future__ import annotations

import errno
import os
import resource
import socket
import ssl
import stat
from contextlib import suppress
from pathlib import Path

SPARE_FILES = 512  # beside connections: those about to be refused, the store, the listeners


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 and later with this chain and key (PEM). Raises ValueError: one line, naming the file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    for file in (certificate, key):
        try:
            file.open("rb").close()
        except OSError as error:
            raise ValueError(f"cannot read {file}: {error.strerror}") from None
    try:
        # An answer of its own, or the library asks at the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        why = "the key does not belong to the certificate" if "MISMATCH" in str(error.reason) else "not usable"
        message = f"{certificate} and {key}: {why}; expected a PEM certificate chain and its unencrypted PEM key"
        raise ValueError(message) from None
    return context


def unix_socket(path: Path, mode: int) -> tuple[socket.socket, int]:
    """A socket bound to ``path`` with these permissions, and its inode for `remove_unix_socket`.

    What a server that died has left there is removed.

    Raises OSError where another server answers, where something else is in the way, or where it cannot be bound.
    """
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, "is there and is no socket", str(path))
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
            else:
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), str(path))
    sock = socket.socket(socket.AF_UNIX)
    before = os.umask(0o777 & ~mode)  # so that at no time it is open to more than `mode` says
    try:
        sock.bind(str(path))
        path.chmod(mode)
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(before)
    return sock, path.lstat().st_ino


def remove_unix_socket(path: Path, inode: int) -> None:
    """Remove the socket's name, unless somebody else's is there by now."""
    with suppress(FileNotFoundError):
        if path.lstat().st_ino == inode:
            path.unlink()


def raise_file_limit(connections: int) -> int:
    """Let the process open a file for each connection, as far as it may; returns how many connections fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft == resource.RLIM_INFINITY else min(connections, max(soft - SPARE_FILES, 1))
