"""The parent's end of one decoding process."""

import asyncio
import signal
import socket
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from tiro_core.audio.errors import ERRORS_BY_REASON, AudioError, DecodeCrashedError, DecodeTimeoutError
from tiro_core.audio.wire import ERROR, EXIT_STATUS, HEADER, PAYLOAD_BYTES_MAX

READ_BUFFER_BYTES = 64 * 1024
"""Above this, asyncio stops reading and the process waits. `StreamReader` buffers at most twice as much."""

Described = TypeVar("Described")
REFUSAL = TypeAdapter(dict[str, str])


class Message(NamedTuple):
    """One message of the process.

    Attributes:
        kind: one of the kinds in `wire`.
        payload: JSON or samples.
    """

    kind: bytes
    payload: bytes


class MediaProcess:
    """Reads a decoding process's messages and, for live streams, writes its input.

    Args:
        reader: messages of the process.
        writer: input of the process.
        lifeline: closing it kills the process; its exit status is read from it.
        timeout_seconds: how long a caller waits for the process, in total.
        live: whether it waits for input; such waits do not count against `timeout_seconds`.
        on_end: called once when the process has ended.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        lifeline: socket.socket,
        *,
        timeout_seconds: float,
        live: bool,
        on_end: Callable[[], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._lifeline = lifeline
        self._lifeline.setblocking(False)
        self._timeout_seconds = timeout_seconds
        self._input_open = live
        self._waiting: asyncio.Timeout | None = None
        self._on_end = on_end
        self._ended: asyncio.Future[bytes] | None = None
        self._closed = False

    async def receive(self) -> Message:
        """Return the next message.

        Raises:
            AudioError: the process refused the audio, crashed, or used up its time.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(None if self._input_open else self._timeout_seconds) as self._waiting:
                message = await self._read()
        except TimeoutError:
            raise DecodeTimeoutError from None
        finally:
            self._waiting = None
        if not self._input_open:
            self._timeout_seconds -= loop.time() - began
        if message.kind == ERROR:
            raise _refusal(message.payload)
        return message

    async def write(self, data: bytes) -> None:
        """Write live input, waiting while the process is behind.

        Raises:
            DecodeTimeoutError: the process read nothing within its time limit.
            DecodeCrashedError: the process has ended.
        """
        self._writer.write(data)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._writer.drain()
        except TimeoutError:
            raise DecodeTimeoutError from None
        except ConnectionError:
            raise await self._cause_of_death() from None

    def end_input(self) -> None:
        """End the live input."""
        self._input_open = False
        if self._waiting is not None:  # a wait that began without a limit, since it was for input
            self._waiting.reschedule(asyncio.get_running_loop().time() + self._timeout_seconds)
        if not self._writer.is_closing():
            self._writer.write_eof()

    async def aclose(self) -> None:
        """Kill the process if it still runs, and wait until it has ended."""
        if self._closed:
            return
        self._closed = True
        try:
            self._writer.transport.abort()
            await self._exit_status()
        finally:
            if self._ended is not None:
                self._ended.cancel()
            self._lifeline.close()
            self._on_end()

    async def _read(self) -> Message:
        try:
            kind, size = HEADER.unpack(await self._reader.readexactly(HEADER.size))
            if size > PAYLOAD_BYTES_MAX:
                raise DecodeCrashedError
            return Message(kind, await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            raise await self._cause_of_death() from None

    async def _cause_of_death(self) -> AudioError:
        if await self._exit_status() == -signal.SIGXCPU:
            return DecodeTimeoutError()
        return DecodeCrashedError()

    async def _exit_status(self) -> int | None:
        """Kill the process unless it has ended by itself, and return its status, negative for a signal, if known."""
        self._lifeline.shutdown(socket.SHUT_WR)
        if self._ended is None:  # one read for all callers: reading and writing may both meet the end
            loop = asyncio.get_running_loop()
            self._ended = asyncio.ensure_future(loop.sock_recv(self._lifeline, EXIT_STATUS.size))
        data = await asyncio.shield(self._ended)
        return int(EXIT_STATUS.unpack(data)[0]) if len(data) == EXIT_STATUS.size else None


def read_json(payload: bytes, adapter: TypeAdapter[Described]) -> Described:
    """Return the object that the process described, with its form checked.

    Raises:
        DecodeCrashedError: the payload has another form.
    """
    try:
        return adapter.validate_json(payload)
    except ValidationError:
        raise DecodeCrashedError from None


def _refusal(payload: bytes) -> AudioError:
    fields = read_json(payload, REFUSAL)
    error = ERRORS_BY_REASON.get(fields.get("reason", ""), DecodeCrashedError)
    return error(fields.get("message", ""))
