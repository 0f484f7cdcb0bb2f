"""A live stream: the caller sends audio and reads events at the same time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Mapping, Sequence
from types import TracebackType
from typing import Self

from tiro.streaming.v1.streaming_pb2 import Finalize, StreamingTranscribeRequest
from tiro_client.calls.connection import Connection
from tiro_client.errors import DeadlineExceeded, StreamClosed
from tiro_client.live.config import LiveConfig, LiveUpdate
from tiro_client.live.events import ConfigRefused, ConfigUpdated, LiveEvent
from tiro_client.live.inbox import Inbox
from tiro_client.live.outbox import outbox_for
from tiro_client.live.session import LiveSession
from tiro_client.tasks import cancel_and_wait

AUDIO_BYTES_MAX = 128 * 1024
"""Bytes of audio per message, at most. More is sent in several messages."""
CANCEL_SECONDS_MAX = 2.0
"""How long to wait for the service to end a session that is cancelled."""


class LiveStream:
    """A live session. Use as an async context manager; leaving it before `SessionEnded` cancels the session.

    One task may send while another iterates over the events. Events must be read while audio is sent: the service ends
    the session of a client that does not read.

    A lost connection is replaced within the config's `resume_seconds`. Meanwhile sending fills a buffer, and waits once
    that is full. What the service has not stored is then sent again, and the events continue after the last one, with a
    `SessionResumed` in between. A connection that is lost before `SessionStarted` is not replaced: the loss is raised.

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
        self._used_endpointing = self._endpointing
        frame_bytes = config.frame_bytes or 1
        self._piece_bytes = AUDIO_BYTES_MAX - AUDIO_BYTES_MAX % frame_bytes
        self._inbox = Inbox()
        self._outbox = outbox_for(config)
        self._session = LiveSession(connection, config, self._outbox, self._inbox)
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Open the session. Its first event says whether the service has accepted it."""
        self._running = asyncio.create_task(self._run(), name="live-session")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._leave()

    async def send(self, audio: bytes) -> None:
        """Send audio in the config's encoding. Pieces of 20 to 200 ms are a good size.

        Returns once the audio is in a buffer, which holds up to a minute that the service has not stored. Waits while
        the buffer is full.

        Raises:
            StreamClosed: The session has ended, or `end` was called. Reading raises the cause.
            DeadlineExceeded: The service is connected and accepts nothing, or the caller does not read the events.
        """
        self._check_open()
        for start in range(0, len(audio), self._piece_bytes):
            await self._put(StreamingTranscribeRequest(audio=audio[start : start + self._piece_bytes]))

    async def finalize(self) -> None:
        """Request finals for everything sent so far. The session continues.

        Raises:
            StreamClosed: As `send`.
            DeadlineExceeded: As `send`.
        """
        self._check_open()
        await self._put(StreamingTranscribeRequest(finalize=Finalize()))

    async def update(
        self,
        *,
        hotwords: Sequence[str] | None = None,
        replacements: Mapping[str, str] | None = None,
        language: str | None = None,
        silence_seconds: float | None = None,
        utterance_seconds_max: float | None = None,
        speech_threshold: float | None = None,
    ) -> None:
        """Change the configuration for the audio that is sent next. None: no change.

        `ConfigUpdated` confirms it. `ConfigRefused` says that it cannot be served; then the session goes on without it.

        Args:
            hotwords: The hotwords that replace the current ones. `()` for none.
            replacements: The replacements that replace the current ones. `{}` for none.
            language: BCP 47 tag. Empty or `auto`: it is detected, if the model can.
            silence_seconds: Silence after speech that ends an utterance, 0.1 to 5 s.
            utterance_seconds_max: The longest utterance, 5 to 25 s.
            speech_threshold: The probability of speech above which audio counts as speech, 0.1 to 0.95.

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
        update = LiveUpdate(hotwords=hotwords, replacements=replacements, language=language)
        if endpointing != LiveUpdate():
            self._endpointing = endpointing.over(self._endpointing)
            update = update.over(self._endpointing)
        await self._put(StreamingTranscribeRequest(update_config=update.to_proto()))

    async def end(self) -> None:
        """End the audio. The last finals and `SessionEnded` can still be read."""
        self._check_open()
        await self._outbox.end()

    async def cancel(self) -> None:
        """End the session now, without the text that is not final yet. Iterating ends without error."""
        self._check_open()
        await self._leave()

    async def fail(self, error: Exception) -> None:
        """Cancel the session because its audio source has failed. Iterating over the events raises `error`."""
        await self._inbox.close(error)
        await self._leave()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> LiveEvent:
        """The next event.

        Raises:
            StopAsyncIteration: The session is over.
            TiroError: The session was refused or ended early, or its connection was lost and could not be replaced.
        """
        self._check_open()
        event = await self._inbox.get()
        if event is None:
            raise StopAsyncIteration
        self._note(event)
        return event

    def _note(self, event: LiveEvent) -> None:
        """Note the endpointing that the service uses: a change of it that was refused is not sent again."""
        match event:
            case ConfigUpdated():
                self._used_endpointing = LiveUpdate(
                    silence_seconds=event.silence_seconds,
                    utterance_seconds_max=event.utterance_seconds_max,
                    speech_threshold=event.speech_threshold,
                )
            case ConfigRefused():
                self._endpointing = self._used_endpointing

    async def _put(self, request: StreamingTranscribeRequest) -> None:
        try:
            await self._outbox.put(request)
        except DeadlineExceeded:
            if not self._inbox.is_full:
                raise
            # Acknowledgements arrive between the events: unread events stop them, and so the sending.
            raise DeadlineExceeded(
                f"{self._inbox.waiting_count} events wait to be read, which stops the audio"
            ) from None

    def _check_open(self) -> None:
        if self._running is None:
            raise StreamClosed("the stream is not open: use `async with`")

    async def _run(self) -> None:
        error: Exception | None = None
        try:
            await self._session.run()
        except Exception as failure:  # noqa: BLE001 - any failure reaches the caller, through the inbox
            error = failure
        finally:
            await self._outbox.close()
            await self._inbox.close(error)

    async def _leave(self) -> None:
        """Cancel the session, if it has not ended."""
        # Events are discarded from here on, so that the session does not wait for the reader.
        await self._inbox.close()
        running = self._running
        if running is None or running.done():
            return
        await self._outbox.cancel()
        if self._session.is_connected:
            # The service must receive the request before the connection closes: else it waits for the client to resume.
            await asyncio.wait({running}, timeout=CANCEL_SECONDS_MAX)
        await cancel_and_wait(running)


async def transcribe_stream(live: LiveStream, audio: AsyncIterable[bytes]) -> AsyncGenerator[LiveEvent, None]:
    """Send audio as it is produced and yield the events, to the session's end.

    Args:
        live: A stream that is not open.
        audio: The audio, in the stream's encoding.

    Raises:
        TiroError: The session was refused or ended early.
        Exception: What `audio` raises.
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
        # The task that reads the events gets the cause.
        return
    except Exception as error:  # noqa: BLE001 - what the caller's audio raises reaches the caller, through the inbox
        await live.fail(error)
