"""The audio line of a session, read from where nothing before is needed any more."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tiro.events.v1.live_pb2 import LiveInput, SessionRecord
from tiro_core.audio.pcm import SAMPLE_BYTES, pcm16_from_bytes
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.ordered_consumer import OrderedConsumer, StreamState

QUEUED_MAX = 256
"""Messages read ahead of the engine. What is beyond them waits in JetStream."""

Pcm16 = NDArray[np.int16]


class AudioLogGap(Exception):  # noqa: N818 - reads as the condition it reports
    """Audio is missing from the line."""


def parse_input(data: bytes) -> LiveInput:
    """A message of the line."""
    return LiveInput.FromString(data)


@dataclass(frozen=True, slots=True)
class Turn:
    """What a session hears at a time: samples, and perhaps a control after them."""

    samples: Pcm16
    control: LiveInput | None


class SessionInput:
    """What comes on the line: samples, and controls between them."""

    def __init__(self, bus: Bus, first_sample: int, *, came: Callable[[], None]) -> None:
        """`came` is called when something has come, once it is worth a turn by what `take` was last asked for."""
        self._bus = bus
        self._came = came
        self._queue: asyncio.Queue[tuple[int, LiveInput]] = asyncio.Queue(QUEUED_MAX)
        self._rest: Pcm16 = np.empty(0, np.int16)
        self._ends: deque[tuple[int, int]] = deque()
        """Where each message taken ends, and its sequence: at most as many as the engine's window has messages."""
        self._settled_sequence = 0
        self._samples_min = 1
        """What the last call of `take` wanted to have at least."""
        self._waiting_marks = 0
        """Messages without samples that have come and are not taken yet: controls, and signs of life."""
        self.waiting_samples = 0
        """Samples that have come and are not taken yet."""
        self.position = first_sample
        """The number of the sample after the last message taken."""

    @property
    def taken(self) -> int:
        """The number of the next sample that `take` gives."""
        return self.position - len(self._rest)

    @property
    def seconds_since_outage(self) -> float:
        """How long NATS has been there without a break; 0 while it is away."""
        return self._bus.seconds_since_outage if self._bus.is_connected else 0.0

    async def follow(self, record: SessionRecord) -> None:
        """Read the line until cancelled."""
        subject = subjects.live_audio(record.tenant, record.session_id)
        after = record.checkpoint.log_sequence
        self._settled_sequence = after
        async with OrderedConsumer(self._bus, topology.LIVE_AUDIO, subject, after_sequence=after) as tail:
            async for entry in tail:
                if isinstance(entry, StreamState):
                    continue
                await self.add(entry.sequence, parse_input(entry.data))

    async def add(self, sequence: int, message: LiveInput) -> None:
        """Let a message of the line wait to be taken, once there is room for it."""
        await self._queue.put((sequence, message))
        self.waiting_samples += len(message.pcm16) // SAMPLE_BYTES
        self._waiting_marks += not message.pcm16
        if self._is_worth_a_turn:
            self._came()

    def take(self, samples_max: int, samples_min: int = 1) -> Turn | None:
        """What has come, up to a control or so many samples. None when nothing has, or too little to be worth a turn.

        Args:
            samples_max: So many are taken at most.
            samples_min: With fewer, and nothing else among them, they wait for more.

        Raises:
            AudioLogGap: Samples are missing.
        """
        self._samples_min = samples_min
        if not self._is_worth_a_turn:
            return None
        pieces: list[Pcm16] = []
        count = 0
        control: LiveInput | None = None
        came = False
        while count < samples_max and control is None:
            if not len(self._rest):
                if self._queue.empty():
                    break
                came = True
                control = self._next()
                continue
            piece, self._rest = self._rest[: samples_max - count], self._rest[samples_max - count :]
            pieces.append(piece)
            count += len(piece)
            self.waiting_samples -= len(piece)
        if not came and not pieces:
            return None
        samples = np.concatenate(pieces) if pieces else np.empty(0, np.int16)
        return Turn(samples, control)

    def sequence_before(self, sample: int) -> int:
        """The sequence of the last message that lies wholly before a sample. Samples must not decrease over calls."""
        while self._ends and self._ends[0][0] <= sample:
            self._settled_sequence = self._ends.popleft()[1]
        return self._settled_sequence

    @property
    def _is_worth_a_turn(self) -> bool:
        return self.waiting_samples >= self._samples_min or self._waiting_marks > 0 or self._queue.full()

    def _next(self) -> LiveInput | None:
        """Take the next message: its samples become the rest; a control is returned."""
        sequence, message = self._queue.get_nowait()
        self._waiting_marks -= not message.pcm16
        if message.WhichOneof("input") == "pcm16":
            self._rest = self._fresh(message)
            self._ends.append((self.position, sequence))
            return None
        self._ends.append((self.position, sequence))
        return message

    def _fresh(self, message: LiveInput) -> Pcm16:
        """The samples of a message that are not behind us."""
        samples = pcm16_from_bytes(message.pcm16)
        if message.first_sample > self.position:
            raise AudioLogGap(f"sample {self.position} is missing; the line goes on at {message.first_sample}")
        fresh = samples[self.position - message.first_sample :]
        self.position += len(fresh)
        self.waiting_samples -= len(samples) - len(fresh)
        return fresh


@asynccontextmanager
async def open_session_input(
    bus: Bus, record: SessionRecord, first_sample: int, *, came: Callable[[], None]
) -> AsyncIterator[SessionInput]:
    """The line from `first_sample` on, read while the context lasts."""
    line = SessionInput(bus, first_sample, came=came)
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(line.follow(record), name="session-input")
        try:
            yield line
        finally:
            following.cancel()
