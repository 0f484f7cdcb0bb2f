"""The input of a live session: its audio log, read from the checkpoint on."""

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
from tiro_core.messaging.reading.ordered_consumer import OrderedConsumer, StreamState

QUEUED_MAX = 256
"""The most messages that are read ahead of the engine. Later ones wait in JetStream."""

Pcm16 = NDArray[np.int16]


class AudioLogGap(Exception):  # noqa: N818 - reads as the condition it reports
    """Audio is missing from the log."""


def parse_input(data: bytes) -> LiveInput:
    """Parse a message of the log."""
    return LiveInput.FromString(data)


@dataclass(frozen=True, slots=True)
class Turn:
    """The samples, and at most one control after them, that a session processes in one call of its engine."""

    samples: Pcm16
    control: LiveInput | None


class SessionInput:
    """A queue of samples, and the controls between them. Use `open_session_input`."""

    def __init__(self, bus: Bus, first_sample: int, *, on_data: Callable[[], None]) -> None:
        """Make an empty queue.

        Args:
            bus: The connection.
            first_sample: The number of the first sample that `take` returns.
            on_data: Called when there are enough samples for the `samples_min` of the last `take`.
        """
        self._bus = bus
        self._on_data = on_data
        self._queue: asyncio.Queue[tuple[int, LiveInput]] = asyncio.Queue(QUEUED_MAX)
        self._rest: Pcm16 = np.empty(0, np.int16)
        self._ends: deque[tuple[int, int]] = deque()
        """The sample after each message that was taken, with its sequence, as far back as the engine's window."""
        self._settled_sequence = 0
        self._samples_min = 1
        """The `samples_min` of the last call of `take`."""
        self._waiting_marks = 0
        """Messages without samples that wait to be taken: controls and heartbeats."""
        self.waiting_samples = 0
        """Samples that wait to be taken."""
        self.position = first_sample
        """The number of the sample after the last message taken."""

    @property
    def taken(self) -> int:
        """The number of the next sample that `take` gives."""
        return self.position - len(self._rest)

    @property
    def seconds_since_outage(self) -> float:
        """How long NATS has been connected without an outage; 0 while it is away."""
        return self._bus.seconds_since_outage if self._bus.is_connected else 0.0

    async def follow(self, record: SessionRecord) -> None:
        """Read the log until cancelled."""
        subject = subjects.live_audio(record.tenant, record.session_id)
        after = record.checkpoint.log_sequence
        self._settled_sequence = after
        async with OrderedConsumer(self._bus, topology.LIVE_AUDIO, subject, after_sequence=after) as log:
            async for entry in log:
                if isinstance(entry, StreamState):
                    continue
                await self.add(entry.sequence, parse_input(entry.data))

    async def add(self, sequence: int, message: LiveInput) -> None:
        """Queue a message of the log, once there is capacity for it."""
        await self._queue.put((sequence, message))
        self.waiting_samples += len(message.pcm16) // SAMPLE_BYTES
        self._waiting_marks += not message.pcm16
        if self._has_turn:
            self._on_data()

    def take(self, samples_max: int, samples_min: int = 1) -> Turn | None:
        """Take the waiting input, up to the first control. None when there is none, or too little.

        Args:
            samples_max: The most samples to take.
            samples_min: Fewer samples are not taken, unless a control waits too.

        Raises:
            AudioLogGap: Samples are missing.
        """
        self._samples_min = samples_min
        if not self._has_turn:
            return None
        blocks: list[Pcm16] = []
        count = 0
        control: LiveInput | None = None
        has_message = False
        while count < samples_max and control is None:
            if not len(self._rest):
                if self._queue.empty():
                    break
                has_message = True
                control = self._next()
                continue
            block, self._rest = self._rest[: samples_max - count], self._rest[samples_max - count :]
            blocks.append(block)
            count += len(block)
            self.waiting_samples -= len(block)
        if not has_message and not blocks:
            return None
        samples = np.concatenate(blocks) if blocks else np.empty(0, np.int16)
        return Turn(samples, control)

    def sequence_before(self, sample: int) -> int:
        """The sequence of the last message before a sample. The sample must not decrease from call to call."""
        while self._ends and self._ends[0][0] <= sample:
            self._settled_sequence = self._ends.popleft()[1]
        return self._settled_sequence

    @property
    def _has_turn(self) -> bool:
        return self.waiting_samples >= self._samples_min or self._waiting_marks > 0 or self._queue.full()

    def _next(self) -> LiveInput | None:
        """Take the next message: its samples are kept as the rest, and a control is returned."""
        sequence, message = self._queue.get_nowait()
        self._waiting_marks -= not message.pcm16
        if message.WhichOneof("input") == "pcm16":
            self._rest = self._new_samples(message)
            self._ends.append((self.position, sequence))
            return None
        self._ends.append((self.position, sequence))
        return message

    def _new_samples(self, message: LiveInput) -> Pcm16:
        """The samples of a message that come at or after `position`."""
        samples = pcm16_from_bytes(message.pcm16)
        if message.first_sample > self.position:
            raise AudioLogGap(f"sample {self.position} is missing; the log continues at {message.first_sample}")
        new = samples[self.position - message.first_sample :]
        self.position += len(new)
        self.waiting_samples -= len(samples) - len(new)
        return new


@asynccontextmanager
async def open_session_input(
    bus: Bus, record: SessionRecord, first_sample: int, *, on_data: Callable[[], None]
) -> AsyncIterator[SessionInput]:
    """The audio log from `first_sample` on, read while the context lasts."""
    audio_log = SessionInput(bus, first_sample, on_data=on_data)
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(audio_log.follow(record), name="session-input")
        try:
            yield audio_log
        finally:
            following.cancel()
