"""A live stream: audio goes up, text comes down, at the same time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from types import TracebackType
from typing import Self

from tiro.streaming.v1.streaming_pb2 import Finalize, StreamingTranscribeRequest
from tiro_client.calls.channel import Connection
from tiro_client.calls.tasks import cancel_and_wait
from tiro_client.errors import StreamClosed
from tiro_client.live.config import LiveConfig, LiveUpdate
from tiro_client.live.events import LiveEvent
from tiro_client.live.inbox import Inbox
from tiro_client.live.outbox import outbox_for
from tiro_client.live.session import LiveSession

AUDIO_BYTES_MAX = 128 * 1024
"""Bytes of audio a message, at most; more is sent in several."""
CANCEL_SECONDS_MAX = 2.0
"""How long the service is given to end a session that is left before its end."""


class LiveStream:
    """A live session. Use as an async context manager; leaving it before `SessionEnded` cancels the session.

    One task may send while another iterates over the events. Events must be read while audio is sent: a service ends
    the session of a client that does not read.

    A lost connection is replaced for as long as the config's `resume_seconds` say: sending waits meanwhile, or goes on
    into a buffer, what the service does not have is sent again, and the events go on after the last one, with a
    `SessionResumed` between them. What is lost before `SessionStarted` came is not replaced: it raises.

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
        self._endpointing = LiveUpdate(
            silence_seconds=config.silence_seconds,
            utterance_seconds_max=config.utterance_seconds_max,
            speech_threshold=config.speech_threshold,
        )
        frame_bytes = config.frame_bytes or 1
        self._piece_bytes = AUDIO_BYTES_MAX - AUDIO_BYTES_MAX % frame_bytes
        self._inbox = Inbox()
        self._outbox = outbox_for(config)
        self._session = LiveSession(connection, config, self._outbox, self._inbox)
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Open the session. Whether the service takes it is told by the first event."""
        self._running = asyncio.create_task(self._run(), name="live-session")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._leave()

    async def send(self, audio: bytes) -> None:
        """Send audio in the config's encoding: 20 to 200 ms of it at a time is a good size.

        Returns once the audio is in a buffer, which holds up to a minute that the service does not have; waits while
        that is full.

        Raises:
            StreamClosed: The session has ended, or `end` was called. Reading says why it ended.
            DeadlineExceeded: The service is connected and takes nothing.
        """
        self._check_open()
        for start in range(0, len(audio), self._piece_bytes):
            await self._outbox.put(StreamingTranscribeRequest(audio=audio[start : start + self._piece_bytes]))

    async def finalize(self) -> None:
        """Ask that everything sent so far be made final. The session goes on.

        Raises:
            StreamClosed: As `send`.
            DeadlineExceeded: As `send`.
        """
        self._check_open()
        await self._outbox.put(StreamingTranscribeRequest(finalize=Finalize()))

    async def update(
        self,
        *,
        hotwords: Sequence[str] | None = None,
        language: str | None = None,
        silence_seconds: float | None = None,
        utterance_seconds_max: float | None = None,
        speech_threshold: float | None = None,
    ) -> None:
        """Recognize differently from the audio on that is sent next. `ConfigUpdated` answers. None leaves it as it is.

        Args:
            hotwords: The words that are likely to be said, in place of those before. `()` for none.
            language: ISO 639 code; empty detects it, where the model can.
            silence_seconds: Silence after speech that ends an utterance, 0.1 to 5.
            utterance_seconds_max: The longest utterance, 5 to 25.
            speech_threshold: The speech probability above which sound counts as speech, 0.1 to 0.95.

        Raises:
            StreamClosed: As `send`.
            DeadlineExceeded: As `send`.
        """
        self._check_open()
        endpointing = LiveUpdate(
            silence_seconds=silence_seconds,
            utterance_seconds_max=utterance_seconds_max,
            speech_threshold=speech_threshold,
        )
        update = LiveUpdate(hotwords=hotwords, language=language)
        if endpointing != LiveUpdate():
            self._endpointing = endpointing.after(self._endpointing)
            update = update.after(self._endpointing)
        await self._outbox.put(StreamingTranscribeRequest(update_config=update.to_proto()))

    async def end(self) -> None:
        """Say that no more audio comes. The last finals and `SessionEnded` can still be read."""
        self._check_open()
        await self._outbox.end()

    async def cancel(self) -> None:
        """End the session now: what is not final yet is not wanted. Iterating ends without error."""
        self._check_open()
        await self._leave()

    async def fail(self, error: Exception) -> None:
        """Cancel the session because its audio cannot go on. Whoever iterates over the events gets `error`."""
        await self._inbox.close(error)
        await self._leave()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> LiveEvent:
        """The next event.

        Raises:
            StopAsyncIteration: The session is over.
            TiroError: The session was refused or cut short, or its connection was lost for good.
        """
        self._check_open()
        event = await self._inbox.get()
        if event is None:
            raise StopAsyncIteration
        return event

    def _check_open(self) -> None:
        if self._running is None:
            raise StreamClosed("the stream is not open: use `async with`")

    async def _run(self) -> None:
        error: Exception | None = None
        try:
            await self._session.run()
        except Exception as failure:  # noqa: BLE001 - whatever it is, it reaches the caller, through the reader
            error = failure
        finally:
            await self._outbox.close()
            await self._inbox.close(error)

    async def _leave(self) -> None:
        """Cancel the session, if it has not ended."""
        # Nothing more is read, so that nothing waits for the reader.
        await self._inbox.close()
        running = self._running
        if running is None or running.done():
            return
        await self._outbox.cancel()
        if self._session.is_connected:
            # The service must learn of it before the connection goes: else it waits for this client.
            await asyncio.wait({running}, timeout=CANCEL_SECONDS_MAX)
        await cancel_and_wait(running)


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
        await live.fail(error)
