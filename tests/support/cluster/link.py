"""A link: a local port that forwards its connections to a server, with injected faults.

It runs in the proxy's process (see `proxy`). It imports the standard library only, so that it starts fast.
"""

import asyncio
import enum
import socket
import struct

PIECE_BYTES = 64 * 1024
"""Bytes read at a time. A silent link holds up to two pieces for each direction of a connection; the kernel's buffers
hold more, and then the sender blocks, as on a real network."""
CONNECTIONS_MAX = 1000
"""A silent link collects the connections of all clients that retry; more than this are reset."""
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Mode(enum.StrEnum):
    """What a link does with its connections."""

    FORWARD = "forward"
    """Forward."""
    SILENT = "silent"
    """Forward nothing and keep connections open: what a host without power, or a cut cable, looks like. Data under way
    is forwarded when the link forwards again, as TCP would retransmit it."""
    REFUSE = "refuse"
    """Reset new connections. Existing ones are forwarded."""


class Link:
    """One link. It listens from `open` to `close`.

    Args:
        mode: Its first mode.
    """

    def __init__(self, mode: Mode = Mode.FORWARD) -> None:
        self._mode = mode
        self._passing = asyncio.Event()
        self._target: tuple[str, int] | None = None
        self._delay_seconds = 0.0
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self.set_mode(mode)

    async def open(self) -> int:
        """Listen on a free port of this host, and return it."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=PIECE_BYTES)
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Stop listening, and reset all connections."""
        if self._server is not None:
            self._server.close()
        self.reset()

    def set_target(self, host: str, port: int) -> None:
        """Set where new connections go. Without a target they are reset."""
        self._target = (host, port)

    def set_mode(self, mode: Mode) -> None:
        """Inject a fault, or heal the link."""
        self._mode = mode
        if mode is Mode.SILENT:
            self._passing.clear()
        else:
            self._passing.set()

    def set_delay(self, seconds: float) -> None:
        """Hold each piece for this long before it is forwarded. 0 forwards at once."""
        self._delay_seconds = seconds

    def reset(self) -> None:
        """Reset every connection, as a network does that has lost its state."""
        for task, writers in list(self._connections.items()):
            for writer in writers:
                _abort(writer)
            task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or self._target is None or len(self._connections) >= CONNECTIONS_MAX:
            _abort(writer)
            return
        writers = self._connections[task] = [writer]
        try:
            await self._passing.wait()
            if self._mode is not Mode.REFUSE:
                await self._forward(self._target, reader, writers)
        except (OSError, asyncio.CancelledError):
            pass  # the server is down, or one side is gone: the reset below reports it to the other side
        finally:
            del self._connections[task]
            for each in writers:
                _abort(each)

    async def _forward(
        self, target: tuple[str, int], reader: asyncio.StreamReader, writers: list[asyncio.StreamWriter]
    ) -> None:
        """Forward both ways until either side ends the connection."""
        server_reader, server_writer = await asyncio.open_connection(*target, limit=PIECE_BYTES)
        (writer,) = writers
        writers.append(server_writer)
        pumps = {
            asyncio.create_task(self._pump(reader, server_writer)),
            asyncio.create_task(self._pump(server_reader, writer)),
        }
        try:
            done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in done:
                pump.result()
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(PIECE_BYTES):
            if self._delay_seconds:
                await asyncio.sleep(self._delay_seconds)
            await self._passing.wait()
            writer.write(data)
            await writer.drain()
        await self._passing.wait()
        writer.close()
        await writer.wait_closed()


def _abort(writer: asyncio.StreamWriter) -> None:
    """Close a connection with a reset, if it is not closed."""
    if writer.is_closing():
        return
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
