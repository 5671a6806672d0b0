"""A second node for the liars' hook file: an address of its own, and the first server behind it.

The reference keeps rooms in one process; what a client of a killed node must see can be shown by a relay all the same.
It reaches the first server from 127.0.0.2, so that a fault can tell its clients from the others.
"""

from __future__ import annotations

import asyncio
import os

RELAY = "127.0.0.2"


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    first = int(os.environ["ROOMPROOF_FIRST_PORT"])
    there, back = await asyncio.open_connection("127.0.0.1", first, local_addr=(RELAY, 0))
    await asyncio.gather(copy(reader, back), copy(there, writer))


async def main() -> None:
    server = await asyncio.start_server(relay, "127.0.0.1", int(os.environ["ROOMPROOF_PORT"]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
