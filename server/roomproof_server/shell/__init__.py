"""The asyncio side: sockets, time and the WebSocket wire. What the protocol means is not decided here."""
