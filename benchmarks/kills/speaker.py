"""One live session through the client library, in real time, with all events and their times."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from benchmarks.kills.speech import Speech
from tiro_client import (
    AsyncClient,
    AudioAck,
    Final,
    Lag,
    LiveEvent,
    Partial,
    SessionEnded,
    SessionStarted,
    TiroError,
    WorkerChanged,
)
from tiro_client.transcript import Word
from tiro_engines.interface import SAMPLE_RATE

FRAME_SECONDS = 0.1
FRAME_BYTES = round(2 * SAMPLE_RATE * FRAME_SECONDS)


@dataclass(frozen=True, slots=True)
class Seen:
    """An event, and its time by the monotonic clock."""

    at: float
    event: LiveEvent


@dataclass(frozen=True, slots=True)
class Pause:
    """The pause that a client saw after a kill, in seconds. None: the session ended before."""

    announced: float | None
    """Until `worker_changed`."""
    words: float | None
    """Until the first words after it, partial or final."""


@dataclass(slots=True)
class Spoken:
    """A session under way, or over."""

    speech: Speech
    session_id: str = ""
    begun: float = 0.0
    """When the first sample was spoken, by the monotonic clock. 0: not yet."""
    seen: list[Seen] = field(default_factory=list)
    error: str = ""
    """Why it ended, when it did not end in order."""
    over: bool = False
    moved: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def is_speaking(self) -> bool:
        """Whether it has a worker and is not over."""
        return bool(self.session_id and self.begun) and not self.over

    @property
    def words(self) -> list[Word]:
        """The words of its finals."""
        return [word for one in self.seen if isinstance(one.event, Final) for word in one.event.segment.words]

    def seconds_at(self, at: float) -> float:
        """The position in the speech, in seconds, at a time of the monotonic clock."""
        return at - self.begun

    async def run(self, client: AsyncClient, engine: str, model: str) -> None:
        """Send all samples, and receive all events."""
        events = client.stream(
            self._frames(), sample_rate=SAMPLE_RATE, engine=engine, model=model, language="en", resume_seconds=0
        )
        try:
            async for event in events:
                await self._take(event)
            if not any(isinstance(one.event, SessionEnded) for one in self.seen):
                self.error = "there was no `session_ended`"
        except TiroError as error:
            self.error = f"{error.reason}: {error.message}"
        finally:
            self.over = True
            async with self.moved:
                self.moved.notify_all()

    async def pause_after(self, killed_at: float) -> Pause:
        """Wait until words come again from another worker, or the session is over."""
        async with self.moved:
            await self.moved.wait_for(lambda: self.over or self._pause(killed_at).words is not None)
        return self._pause(killed_at)

    def _pause(self, killed_at: float) -> Pause:
        announced = next(
            (one.at for one in self.seen if one.at > killed_at and isinstance(one.event, WorkerChanged)), None
        )
        if announced is None:
            return Pause(None, None)
        words = next(
            (one.at for one in self.seen if one.at >= announced and isinstance(one.event, Partial | Final)), None
        )
        return Pause(announced - killed_at, None if words is None else words - killed_at)

    async def _take(self, event: LiveEvent) -> None:
        if isinstance(event, AudioAck | Lag):
            return
        if isinstance(event, SessionStarted):
            self.session_id = event.session_id
        self.seen.append(Seen(time.monotonic(), event))
        async with self.moved:
            self.moved.notify_all()

    async def _frames(self) -> AsyncIterator[bytes]:
        """A frame is sent when its last sample has been spoken, by the clock, not by the previous frame."""
        self.begun = time.monotonic()
        for begin in range(0, len(self.speech.pcm16), FRAME_BYTES):
            due = self.begun + (begin // FRAME_BYTES + 1) * FRAME_SECONDS
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            yield self.speech.pcm16[begin : begin + FRAME_BYTES]
