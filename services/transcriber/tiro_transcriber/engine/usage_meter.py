"""The audio that this worker's engine sends outside, by tenant: counted as it is sent, written every few seconds.

No call waits for a write. Counts that could not be written, because NATS is away, are added to the next ones: each is
one number a tenant, and is lost only with the process.
"""

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from tiro_core.logs.logger import get_logger
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import MessagingError
from tiro_core.routing.usage import UsageCounter
from tiro_engines.interface import EngineSession, OnAudioSent
from tiro_transcriber import metrics

WRITE_SECONDS = 10.0
"""How often the counts are written while audio is sent."""

log = get_logger()


class UsageMeter:
    """Counts the seconds that are not written yet, and writes them. Use `open_usage_meter`."""

    def __init__(self, counter: UsageCounter, engine: str) -> None:
        self._counter = counter
        self._engine = engine
        self._lock = threading.Lock()
        self._pending: defaultdict[str, float] = defaultdict(float)
        self._sessions: set[_Session] = set()
        self._due = asyncio.Event()
        self._stopping = False

    def of(self, tenant: str) -> OnAudioSent:
        """A callback that counts audio of a tenant. It may be called on any thread."""
        return lambda seconds: self._note(tenant, seconds)

    @contextmanager
    def counting(self, tenant: str, session: EngineSession) -> Iterator[None]:
        """Count the audio that a session sends, during the context and at its end."""
        counted = _Session(self.of(tenant), session)
        self._sessions.add(counted)
        try:
            yield
        finally:
            self._sessions.discard(counted)
            counted.note()
            self.write_soon()

    def write_soon(self) -> None:
        """Write the counts now rather than at the next time, because a window or session has ended."""
        self._due.set()

    async def keep_writing(self) -> None:
        """Write the counts at intervals until stopped, and once more then."""
        while not self._stopping:
            with suppress(TimeoutError):
                async with asyncio.timeout(WRITE_SECONDS):
                    await self._due.wait()
            self._due.clear()
            await self._write()

    def stop(self) -> None:
        """End `keep_writing`, after a last write."""
        self._stopping = True
        self._due.set()

    def _note(self, tenant: str, seconds: float) -> None:
        if seconds > 0:
            metrics.CLOUD_AUDIO_SECONDS.labels(self._engine).inc(seconds)
            with self._lock:
                self._pending[tenant] += seconds

    async def _write(self) -> None:
        for session in self._sessions:
            session.note()
        for tenant, seconds in self._take().items():
            try:
                await self._counter.add(tenant, self._engine, seconds)
            except MessagingError as error:
                log.warning("usage_not_written", tenant=tenant, seconds=round(seconds, 1), reason=repr(error))
                with self._lock:
                    self._pending[tenant] += seconds

    def _take(self) -> dict[str, float]:
        with self._lock:
            taken, self._pending = self._pending, defaultdict(float)
        return taken


class _Session:
    def __init__(self, on_audio_sent: OnAudioSent, session: EngineSession) -> None:
        self._on_audio_sent = on_audio_sent
        self._session = session
        self._noted = 0.0

    def note(self) -> None:
        """Count the audio that the session has sent since the last call."""
        seconds = self._session.seconds_sent
        self._on_audio_sent(seconds - self._noted)
        self._noted = seconds


@asynccontextmanager
async def open_usage_meter(bus: Bus, engine: str, stop_seconds_max: float) -> AsyncIterator[UsageMeter]:
    """A meter that writes while the context lasts. Its end writes the last counts, for at most `stop_seconds_max`."""
    meter = UsageMeter(UsageCounter(bus), engine)
    writing = asyncio.create_task(meter.keep_writing(), name="usage")
    try:
        yield meter
    finally:
        meter.stop()
        try:
            await asyncio.wait_for(writing, stop_seconds_max)
        except TimeoutError:
            log.warning("usage_lost", engine=engine)
