"""One stream of the service: audio in, results out, from any thread. The SDK runs on the engine's event loop."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

from tiro_engines.amazon_transcribe.faults import fault_of, is_quiet
from tiro_engines.interface import SAMPLE_RATE, EngineRefused, EngineUnavailable, OnAudioSent, ignore_audio_sent

CONNECT_SECONDS_MAX = 10.0
CHUNK_BYTES = 3200
"""100 ms of PCM16. The service takes 32 KB at most, and recommends 50 to 200 ms."""
WAITING_CHUNKS_MAX = 50
"""The most chunks that wait to be sent, 5 s of audio; then `send` blocks."""
AHEAD_SECONDS = 1.0
"""How far ahead of the pace audio may be sent, so that bursts need not wait."""
SEND_SECONDS_MAX = 30.0
END_SECONDS_MAX = 5.0
"""How long the last results may take after the end of the audio."""
log: FilteringBoundLogger = structlog.get_logger()

_BYTES_A_SECOND = 2 * SAMPLE_RATE

Connect = Callable[[], Awaitable[Any]]
"""Opens a stream of the SDK: `StartStreamTranscriptionEventStream`."""


class Stream:
    """A stream that is being opened, is open, or has ended."""

    def __init__(
        self,
        name: str,
        loop: asyncio.AbstractEventLoop,
        connect: Connect,
        *,
        origin: int,
        pace: float,
        on_audio_sent: OnAudioSent = ignore_audio_sent,
    ) -> None:
        """Begin to connect, in the background.

        Args:
            name: The service's session id, which its support asks for.
            loop: The event loop of the SDK, in another thread than the caller's.
            connect: Opens the SDK's stream.
            origin: The first sample, in the session or recording.
            pace: How fast audio is sent, in seconds of audio per second.
            on_audio_sent: Called when audio has been sent, on the loop's thread.
        """
        self.name = name
        self.origin = origin
        self.received = 0
        """Results received."""
        self.seconds_sent = 0.0
        self.was_quiet = False
        """Whether the service ended the stream because nothing was sent for a while, which is no fault."""
        self._loop = loop
        self._connect = connect
        self._pace = pace
        self._on_audio_sent = on_audio_sent
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING_CHUNKS_MAX)
        self._results: list[Any] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._fault: EngineUnavailable | EngineRefused | None = None
        self._unfinished: set[str] = set()
        self._closed = False
        self._task = asyncio.run_coroutine_threadsafe(self._run(), loop)

    def send(self, pcm: bytes) -> None:
        """Queue PCM16; blocks while the queue is full. Audio for a stream that has ended is dropped: see `fault`.

        Raises:
            EngineUnavailable: The service accepts no more audio.
        """
        for begin in range(0, len(pcm), CHUNK_BYTES):
            self._put(pcm[begin : begin + CHUNK_BYTES])

    def take(self) -> list[Any]:
        """The results since the last time: `amazon_transcribe.model.Result`."""
        with self._lock:
            taken, self._results = self._results, []
        return taken

    @property
    def has_results(self) -> bool:
        """Whether there are results to take."""
        return bool(self._results)

    @property
    def has_ended(self) -> bool:
        """Whether no more results come."""
        return self._ended.is_set()

    @property
    def fault(self) -> EngineUnavailable | EngineRefused | None:
        """Why the stream has ended. None where the caller has ended it."""
        return self._fault

    def end(self) -> None:
        """End the audio, and wait for the last results. Results that do not come in time are a fault."""
        self._put(None)
        if not self._ended.wait(END_SECONDS_MAX):
            self.close()
            self._fault = EngineUnavailable("the service does not end the stream")
            self._ended.set()

    def close(self) -> None:
        """Close the stream, and drop further results. It is ended as by `end`: the SDK has no other clean way."""
        self._closed = True
        self._loop.call_soon_threadsafe(self._end_input)

    def _end_input(self) -> None:
        while not self._chunks.empty():
            self._chunks.get_nowait()
        self._chunks.put_nowait(None)
        self._loop.call_later(END_SECONDS_MAX, self._task.cancel)

    def _put(self, chunk: bytes | None) -> None:
        if self._ended.is_set():
            return
        putting = asyncio.run_coroutine_threadsafe(self._chunks.put(chunk), self._loop)
        deadline = time.monotonic() + SEND_SECONDS_MAX
        while not putting.done() and not self._ended.is_set():
            try:
                putting.result(min(1.0, deadline - time.monotonic()))
            except TimeoutError:
                if time.monotonic() >= deadline:
                    self.close()
                    raise EngineUnavailable("the service accepts no more audio") from None

    async def _run(self) -> None:
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                sdk_stream = await self._connect()
            await self._exchange(sdk_stream)
        except* asyncio.CancelledError:
            pass
        except* Exception as group:  # noqa: BLE001 - any exception becomes the fault of the stream
            cause = _first(group)
            self.was_quiet = is_quiet(cause)
            if not self._closed and not self.was_quiet:
                self._fault = fault_of(cause)
        finally:
            self._ended.set()
            log.info(
                "transcribe_stream_ended",
                stream=self.name,
                seconds_sent=round(self.seconds_sent, 1),
                results=self.received,
                fault=str(self._fault or ""),
            )

    async def _exchange(self, sdk_stream: Any) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(self._send_all(sdk_stream.input_stream))
                await self._receive_all(sdk_stream.output_stream)
                # To the SDK a lost connection looks like the end of the results.
                if not sending.done() or self._unfinished:
                    raise ConnectionError("the service closed the stream early")
        finally:
            # Until the body has ended, awscrt reads it without a pause, although the stream is over.
            with suppress(OSError):  # the body has ended already
                await sdk_stream.input_stream.end_stream()

    async def _send_all(self, audio: Any) -> None:
        begun = time.monotonic()
        while (chunk := await self._chunks.get()) is not None:
            due = begun + self.seconds_sent / self._pace - AHEAD_SECONDS
            if due > time.monotonic():
                await asyncio.sleep(due - time.monotonic())
            await audio.send_audio_event(audio_chunk=chunk)
            seconds = len(chunk) / _BYTES_A_SECOND
            self.seconds_sent += seconds
            self._on_audio_sent(seconds)
        await audio.end_stream()

    async def _receive_all(self, events: Any) -> None:
        async for event in events:
            results = event.transcript.results
            for result in results:
                (self._unfinished.add if result.is_partial else self._unfinished.discard)(result.result_id)
            with self._lock:
                self._results += results
                self.received += len(results)


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
