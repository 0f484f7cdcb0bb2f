"""The audio line of a session, read from where its last final ended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
from numpy.typing import NDArray

from tiro.events.v1.live_pb2 import LiveInput, SessionRecord
from tiro_core.audio.pcm import pcm16_from_bytes
from tiro_core.bus import subjects, topology
from tiro_core.bus.connection import Bus
from tiro_core.bus.tail import Tail

QUEUED_MAX = 256
"""Messages read ahead of the engine. What is beyond them waits in JetStream."""

Pcm16 = NDArray[np.int16]


class LineBroken(Exception):  # noqa: N818 - reads as the condition it reports
    """Audio is missing from the line."""


class SessionInput:
    """What comes on the line: samples, and controls between them."""

    def __init__(self, bus: Bus, first_sample: int, *, answered_finalizes: int) -> None:
        self._bus = bus
        self.position = first_sample
        """The number of the next sample."""
        self._answered_finalizes = answered_finalizes
        self._queue: asyncio.Queue[LiveInput] = asyncio.Queue(QUEUED_MAX)
        self._control: LiveInput | None = None

    @property
    def seconds_since_outage(self) -> float:
        """How long NATS has been there without a break; 0 while it is away."""
        return self._bus.seconds_since_outage if self._bus.is_connected else 0.0

    async def follow(self, record: SessionRecord) -> None:
        """Read the line until cancelled."""
        subject = subjects.live_audio(record.tenant, record.session_id)
        async with Tail(self._bus, topology.LIVE_AUDIO, subject) as tail:
            async for entry in tail:
                if entry is None:
                    continue
                message = LiveInput.FromString(entry.data)
                if message.HasField("finalize") and self._answered_finalizes:
                    self._answered_finalizes -= 1  # an owner before us has answered it
                    continue
                await self._queue.put(message)

    async def next(self, wait_seconds: float | None) -> tuple[Pcm16, LiveInput | None]:
        """All samples that have come, up to a control, and that control.

        Args:
            wait_seconds: How long to wait for something to come. None waits for ever.

        Raises:
            TimeoutError: Nothing came.
            LineBroken: Samples are missing.
        """
        async with asyncio.timeout(wait_seconds):
            message = await self._queue.get()
        pieces: list[Pcm16] = []
        while message.WhichOneof("input") == "pcm16":
            pieces.append(self._samples(message))
            if self._queue.empty():
                return np.concatenate(pieces), None
            message = self._queue.get_nowait()
        return np.concatenate(pieces) if pieces else np.empty(0, np.int16), message

    def _samples(self, message: LiveInput) -> Pcm16:
        """The samples of a message that are not behind us."""
        samples = pcm16_from_bytes(message.pcm16)
        if message.first_sample > self.position:
            raise LineBroken(f"sample {self.position} is missing; the line goes on at {message.first_sample}")
        fresh = samples[self.position - message.first_sample :]
        self.position += len(fresh)
        return fresh


@asynccontextmanager
async def open_session_input(
    bus: Bus, record: SessionRecord, first_sample: int, *, answered_finalizes: int
) -> AsyncIterator[SessionInput]:
    """The line from `first_sample` on, without the finalizes that are answered, read while the context lasts."""
    line = SessionInput(bus, first_sample, answered_finalizes=answered_finalizes)
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(line.follow(record), name="session-input")
        try:
            yield line
        finally:
            following.cancel()
