"""A live session for programs without an event loop."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from tiro_client.live.events import LiveEvent
from tiro_client.live.stream import LiveStream
from tiro_client.sync.loop_thread import LoopThread


class SyncLiveStream:
    """A live session. Use as a context manager; leaving it before `SessionEnded` cancels the session.

    One thread may send while another iterates over the events. Events must be read while audio is sent: the service
    ends the session of a client that does not read. Lost connections are replaced as by `LiveStream`, whose methods
    raise the same exceptions.

        with client.open_stream(LiveConfig(sample_rate=16000)) as live:
            live.send(pcm16)
            live.end()
            for event in live:
                ...

    Args:
        loop_thread: Where the session runs.
        live: The session. It is not open.
    """

    def __init__(self, loop_thread: LoopThread, live: LiveStream) -> None:
        self._loop_thread = loop_thread
        self._live = live

    def __enter__(self) -> Self:
        """Open the session. Its first event says whether the service has accepted it."""
        self._loop_thread.run(self._live.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop_thread.finish(self._live.__aexit__(None, None, None))

    def send(self, audio: bytes) -> None:
        """Send audio in the config's encoding. Pieces of 20 to 200 ms are a good size.

        Returns once the audio is in a buffer, which holds up to a minute that the service has not stored. Waits while
        the buffer is full.

        Raises:
            StreamClosed: The session has ended, or `end` was called. Reading raises the cause.
            DeadlineExceeded: The service is connected and accepts nothing, or the caller does not read the events.
        """
        self._loop_thread.run(self._live.send(audio))

    def finalize(self) -> None:
        """Request finals for everything sent so far. The session continues. Raises as `send`."""
        self._loop_thread.run(self._live.finalize())

    def update(
        self,
        *,
        hotwords: Sequence[str] | None = None,
        replacements: Mapping[str, str] | None = None,
        language: str | None = None,
        silence_seconds: float | None = None,
        utterance_seconds_max: float | None = None,
        speech_threshold: float | None = None,
    ) -> None:
        """Change the configuration for the audio that is sent next. `ConfigUpdated` confirms it. None: no change.

        The arguments are those of `LiveStream.update`. Raises as `send`.
        """
        self._loop_thread.run(
            self._live.update(
                hotwords=hotwords,
                replacements=replacements,
                language=language,
                silence_seconds=silence_seconds,
                utterance_seconds_max=utterance_seconds_max,
                speech_threshold=speech_threshold,
            )
        )

    def end(self) -> None:
        """End the audio. The last finals and `SessionEnded` can still be read."""
        self._loop_thread.run(self._live.end())

    def cancel(self) -> None:
        """End the session now, without the text that is not final yet. Iterating ends without error."""
        self._loop_thread.run(self._live.cancel())

    def fail(self, error: Exception) -> None:
        """Cancel the session because its audio source has failed. Iterating over the events raises `error`."""
        self._loop_thread.run(self._live.fail(error))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> LiveEvent:
        """The next event.

        Raises:
            StopIteration: The session is over.
            TiroError: The session was refused or ended early, or its connection was lost and could not be replaced.
        """
        event = self._loop_thread.run(self._next())
        if event is None:
            raise StopIteration
        return event

    async def _next(self) -> LiveEvent | None:
        return await anext(self._live, None)
