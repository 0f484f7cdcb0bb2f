"""A live stream: audio goes up, text comes down, at the same time."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeAlias

import grpc

from tiro.streaming.v1.streaming_pb2 import (
    Finalize,
    KeepAlive,
    StreamingTranscribeRequest,
    StreamingTranscribeResponse,
)
from tiro.streaming.v1.streaming_pb2_grpc import StreamingServiceStub
from tiro_client.call_status import CallStatus
from tiro_client.channel import Connection
from tiro_client.errors import DeadlineExceeded, StreamClosed
from tiro_client.live_config import LiveConfig
from tiro_client.live_events import LiveEvent, SessionStarted, event_from_proto
from tiro_client.tasks import cancel_and_wait

AUDIO_BYTES_MAX = 128 * 1024
"""Bytes of audio a message; more is sent in several. An even number, so that no sample is split."""
KEEP_ALIVE_SECONDS = 3.0
"""How long nothing is sent before a keep-alive is, unless the service ends idle sessions sooner."""
KEEP_ALIVES_PER_IDLE = 3
"""Keep-alives within the time after which the service ends an idle session."""
SEND_SECONDS_MAX = 30.0
"""How long the service may take nothing before sending fails."""

_Call: TypeAlias = "grpc.aio.StreamStreamCall[StreamingTranscribeRequest, StreamingTranscribeResponse]"


class LiveStream:
    """A live session. Use as an async context manager; leaving it before `SessionEnded` abandons the session.

    One task may send while another iterates over the events. Events must be read while audio is sent: a service ends
    the session of a client that does not read.

        async with client.open_stream(LiveConfig(sample_rate=16000)) as live:
            await live.send(pcm16)
            await live.end()
            async for event in live:
                ...

    Args:
        connection: A connection to the streaming service.
        config: How to transcribe.
    """

    def __init__(self, connection: Connection, config: LiveConfig) -> None:
        self._connection = connection
        self._config = config
        self._call: _Call | None = None
        self._status: CallStatus | None = None
        self._responses: AsyncIterator[StreamingTranscribeResponse] | None = None
        # gRPC takes one message at a time: the caller's and the keep-alives queue here.
        self._sending = asyncio.Lock()
        self._half_closed = False
        self._sent_at = 0.0
        self._keep_alive_seconds = KEEP_ALIVE_SECONDS
        self._interval_changed = asyncio.Event()
        self._keep_alive_task: asyncio.Task[None] | None = None
        self._failure: Exception | None = None

    async def __aenter__(self) -> Self:
        """Open the session. Whether the service takes it is told by the first event.

        Raises:
            TiroError: The service cannot be reached.
        """
        stub = StreamingServiceStub(self._connection.channel)
        self._call = stub.StreamingTranscribe(metadata=self._connection.metadata)
        self._status = CallStatus(self._call)
        try:
            await self._send(StreamingTranscribeRequest(config=self._config.to_proto()))
        except StreamClosed:
            # Refused already: reading says why.
            pass
        except BaseException:
            self._call.cancel()
            raise
        self._keep_alive_task = asyncio.create_task(self._keep_alive(), name="live-keep-alive")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._keep_alive_task is not None:
            await cancel_and_wait(self._keep_alive_task)
        if self._call is not None:
            self._call.cancel()

    async def send(self, audio: bytes) -> None:
        """Send audio in the config's encoding: 20 to 200 ms of it at a time is a good size.

        Raises:
            StreamClosed: The session has ended, or `end` was called. Reading says why it ended.
            DeadlineExceeded: The service takes nothing.
        """
        for start in range(0, len(audio), AUDIO_BYTES_MAX):
            await self._send(StreamingTranscribeRequest(audio=audio[start : start + AUDIO_BYTES_MAX]))

    async def finalize(self) -> None:
        """Ask that everything sent so far be made final. The session goes on.

        Raises:
            StreamClosed: As `send`.
            DeadlineExceeded: As `send`.
        """
        await self._send(StreamingTranscribeRequest(finalize=Finalize()))

    async def end(self) -> None:
        """Say that no more audio comes. The last finals and `SessionEnded` can still be read."""
        async with self._sending:
            if not self._half_closed:
                self._half_closed = True
                await self._opened.done_writing()

    def fail(self, error: Exception) -> None:
        """Abandon the session because its audio cannot go on. Whoever iterates over the events gets `error`."""
        self._failure = error
        self._opened.cancel()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> LiveEvent:
        """The next event.

        Raises:
            StopAsyncIteration: The session is over.
            TiroError: The session was refused or cut short.
        """
        while True:
            event = event_from_proto(await self._read())
            if isinstance(event, SessionStarted):
                self._adopt(event)
            if event is not None:
                return event

    async def _read(self) -> StreamingTranscribeResponse:
        if self._responses is None:
            self._responses = aiter(self._opened)
        try:
            return await anext(self._responses)
        except grpc.aio.AioRpcError as seen:
            await self._raise_unless_ended_well(seen)
            raise StopAsyncIteration from None
        except asyncio.CancelledError:
            # gRPC raises this too when the call was cancelled and not the task that reads it.
            task = asyncio.current_task()
            if self._failure is None or (task is not None and task.cancelling()):
                raise
            raise self._failure from None

    async def _raise_unless_ended_well(self, seen: grpc.aio.AioRpcError) -> None:
        error = None if self._status is None else await self._status.explain(seen)
        if error is not None:
            raise error from seen

    @property
    def _opened(self) -> _Call:
        if self._call is None:
            raise StreamClosed("the stream is not open: use `async with`")
        return self._call

    def _adopt(self, started: SessionStarted) -> None:
        if started.idle_seconds_max > 0:
            self._keep_alive_seconds = min(KEEP_ALIVE_SECONDS, started.idle_seconds_max / KEEP_ALIVES_PER_IDLE)
            self._interval_changed.set()

    async def _send(self, request: StreamingTranscribeRequest) -> None:
        async with self._sending:
            if self._half_closed:
                raise StreamClosed("the stream was ended; nothing more can be sent")
            try:
                async with asyncio.timeout(SEND_SECONDS_MAX):
                    await self._opened.write(request)
            except TimeoutError:
                raise DeadlineExceeded(f"the service took nothing for {SEND_SECONDS_MAX:.0f} s") from None
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
                raise StreamClosed("the session has ended") from error
            self._sent_at = time.monotonic()

    async def _keep_alive(self) -> None:
        while True:
            due = self._sent_at + self._keep_alive_seconds - time.monotonic()
            if due > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(due):
                        await self._interval_changed.wait()
                self._interval_changed.clear()
                continue
            try:
                await self._send(StreamingTranscribeRequest(keep_alive=KeepAlive()))
            except (StreamClosed, DeadlineExceeded):
                # The session is over, or its end is noticed by whoever sends or reads.
                return


async def transcribe_stream(live: LiveStream, audio: AsyncIterable[bytes]) -> AsyncGenerator[LiveEvent, None]:
    """Send audio as it comes and yield what happens, to the session's end.

    Args:
        live: A stream that is not open yet.
        audio: The audio, in the stream's encoding.

    Raises:
        TiroError: The session was refused or cut short.
        Exception: Whatever `audio` raises.
    """
    async with live:
        feeding = asyncio.create_task(_feed(live, audio), name="live-audio")
        try:
            async for event in live:
                yield event
        finally:
            await cancel_and_wait(feeding)


async def _feed(live: LiveStream, audio: AsyncIterable[bytes]) -> None:
    try:
        async for chunk in audio:
            await live.send(chunk)
        await live.end()
    except StreamClosed:
        # Whoever reads the events learns why.
        return
    except Exception as error:  # noqa: BLE001 - whatever the caller's audio raises reaches the caller, through the reader
        live.fail(error)
