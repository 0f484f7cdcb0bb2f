"""Writing a session's audio and controls to its line: in order, without a gap, each exactly once.

One message is under way at a time; what comes meanwhile makes up the next one. So a message can carry the sequence that
it expects before it, which makes a repetition after NATS was away harmless and refuses a second writer, and a line
that falls behind catches up in large messages.
"""

import asyncio
from collections import deque

from tiro.events.v1.live_pb2 import EndOfAudio, LiveInput, SessionRecord
from tiro.streaming.v1.streaming_pb2 import Finalize
from tiro_core.audio.pcm import SAMPLE_BYTES
from tiro_core.bus import subjects, topology
from tiro_core.bus.connection import Bus
from tiro_core.bus.publishing import Conflict, publish_expecting
from tiro_streamer.telemetry import AUDIO_SECONDS

MESSAGE_BYTES_MAX = 128 * 1024
"""The most PCM16 in one message: a second and a third at 48 kHz."""
CONTROLS_WAITING_MAX = 64
"""Controls that wait for NATS; more stop the reading, as audio does."""


class LineTaken(Exception):  # noqa: N818 - reads as the condition it reports
    """Something was written to the line, or purged from it, that is not ours."""


class AudioLine:
    """The writing end of a session's audio subject."""

    def __init__(self, bus: Bus, record: SessionRecord, *, buffer_bytes_max: int) -> None:
        self._bus = bus
        self._subject = subjects.live_audio(record.tenant, record.session_id)
        self._rate_hz = record.sample_rate_hertz
        self._buffer_bytes_max = buffer_bytes_max
        self._waiting: deque[bytearray | Finalize | EndOfAudio] = deque()
        self._waiting_bytes = 0
        self._changed = asyncio.Condition()
        self._stored_at = 0
        self.accepted_samples = 0
        """Samples taken so far."""
        self.stored_samples = 0
        """Samples that NATS has."""

    async def write(self, pcm16: bytes) -> None:
        """Take little-endian samples; waits while too many wait already."""
        async with self._changed:
            await self._changed.wait_for(self._has_room)
            last = self._waiting[-1] if self._waiting else None
            if isinstance(last, bytearray):
                last += pcm16
            else:
                self._waiting.append(bytearray(pcm16))
            self._waiting_bytes += len(pcm16)
            self.accepted_samples += len(pcm16) // SAMPLE_BYTES
            self._changed.notify_all()

    async def finalize(self) -> None:
        """Take the wish to make everything so far final."""
        await self._control(Finalize())

    async def end(self) -> None:
        """Take the end. Nothing may come after it."""
        await self._control(EndOfAudio())

    async def publish(self) -> None:
        """Store what is taken, until the end is stored.

        Raises:
            LineTaken: The line is not as we left it.
            BusUnavailable: NATS stayed away.
        """
        ended = False
        while not ended:
            message = await self._next()
            try:
                self._stored_at = await publish_expecting(
                    self._bus,
                    topology.LIVE_AUDIO,
                    self._subject,
                    message.SerializeToString(deterministic=True),
                    last=self._stored_at,
                )
            except Conflict:
                raise LineTaken(self._subject) from None
            samples = len(message.pcm16) // SAMPLE_BYTES
            self.stored_samples += samples
            AUDIO_SECONDS.inc(samples / self._rate_hz)
            ended = message.HasField("end")

    async def _control(self, control: Finalize | EndOfAudio) -> None:
        async with self._changed:
            await self._changed.wait_for(self._has_room)
            self._waiting.append(control)
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return self._waiting_bytes < self._buffer_bytes_max and len(self._waiting) < CONTROLS_WAITING_MAX

    async def _next(self) -> LiveInput:
        async with self._changed:
            message = LiveInput(first_sample=self.stored_samples)
            try:
                async with asyncio.timeout(topology.LINE_HEARTBEAT_SECONDS):
                    await self._changed.wait_for(lambda: bool(self._waiting))
            except TimeoutError:
                message.pcm16 = b""
                return message
            first = self._waiting[0]
            if isinstance(first, bytearray):
                message.pcm16 = bytes(first[:MESSAGE_BYTES_MAX])
                del first[:MESSAGE_BYTES_MAX]
                self._waiting_bytes -= len(message.pcm16)
            elif isinstance(first, Finalize):
                message.finalize.CopyFrom(first)
            else:
                message.end.CopyFrom(first)
            if not isinstance(first, bytearray) or not first:
                self._waiting.popleft()
            self._changed.notify_all()
            return message
