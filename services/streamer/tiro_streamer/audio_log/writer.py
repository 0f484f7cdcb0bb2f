"""Writing a session's audio and controls to its line: in order, without a gap, each exactly once.

One message is under way at a time; what comes meanwhile makes up the next one. So a message can carry the sequence that
it expects before it, which makes a repetition after NATS was away harmless and refuses a second writer, and a line
that falls behind catches up in large messages.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from google.rpc.status_pb2 import Status

from tiro.events.v1.live_pb2 import EndOfAudio, LiveInput, Pause, SessionRecord
from tiro.streaming.v1.streaming_pb2 import Finalize, UpdateConfig
from tiro_core.audio.pcm import SAMPLE_BYTES
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Conflict
from tiro_core.messaging.publishing import publish_expecting
from tiro_streamer.audio_log.position import LogPosition
from tiro_streamer.metrics import AUDIO_SECONDS

MESSAGE_BYTES_MAX = 128 * 1024
"""The most PCM16 in one message: a second and a third at 48 kHz."""
CONTROLS_WAITING_MAX = 64
"""Controls that wait for NATS; more stop the reading, as audio does."""
PAUSE_SECONDS = 1.5
"""A client that sends no audio for so long pauses: with push to talk nobody sends silence."""

Control: TypeAlias = Finalize | UpdateConfig | EndOfAudio


class AudioLogTaken(Exception):  # noqa: N818 - reads as the condition it reports
    """Something was written to the line, or purged from it, that is not ours."""


class AudioLogWriter:
    """The writing end of a session's audio subject."""

    def __init__(
        self,
        bus: Bus,
        record: SessionRecord,
        place: LogPosition = LogPosition(),  # noqa: B008 - it does not change
        *,
        buffer_bytes_max: int,
        lead_seconds_max: float,
    ) -> None:
        """Prepare to write.

        Args:
            bus: Where the line is.
            record: Whose line it is.
            place: Where it ends.
            buffer_bytes_max: PCM16 that waits for NATS before the reader waits.
            lead_seconds_max: Audio that is taken beyond what a worker has heard.
        """
        self._bus = bus
        self._subject = subjects.live_audio(record.tenant, record.session_id)
        self._rate_hz = record.sample_rate_hertz
        self._buffer_bytes_max = buffer_bytes_max
        self._lead_samples_max = round(lead_seconds_max * record.sample_rate_hertz)
        self._waiting: deque[bytearray | Control] = deque()
        self._waiting_bytes = 0
        self._writers_waiting = 0
        self._changed = asyncio.Condition()
        self._spoken = False
        self._heard_samples = 0
        self._publishing: asyncio.Task[None] | None = None
        self._storing = False
        self._left = False
        self.place = place
        """Where the line ends: what NATS has."""
        self.accepted_samples = place.samples
        """Samples taken so far."""

    @property
    def behind_seconds(self) -> float:
        """Audio that is stored and not heard by a worker yet."""
        return max(0, self.place.samples - self._heard_samples) / self._rate_hz

    async def take_over(self) -> None:
        """Refuse whoever wrote before.

        Raises:
            AudioLogTaken: Somebody has written since.
        """
        self._publishing = asyncio.create_task(self._store(self._message()))
        await asyncio.shield(self._publishing)

    async def write(self, pcm16: bytes) -> None:
        """Take little-endian samples; waits while too many wait already, for NATS or for a worker."""
        async with self._changed:
            await self._room(lambda: self._has_room() and self._has_lead())
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

    async def update_config(self, update: UpdateConfig) -> None:
        """Take the wish to recognize differently from here on."""
        await self._control(update)

    async def end(self) -> None:
        """Take the end. Nothing may come after it."""
        await self._control(EndOfAudio())

    async def heard(self, samples: int) -> None:
        """A worker has heard everything before this sample."""
        if samples > self._heard_samples:
            async with self._changed:
                self._heard_samples = samples
                self._changed.notify_all()

    async def publish(self) -> None:
        """Store what is taken, until the end is stored.

        Raises:
            AudioLogTaken: The line is not as we left it.
            BusUnavailable: NATS stayed away.
        """
        # In a task of its own, since what is on its way to NATS must arrive whoever is cancelled: one for all messages.
        self._publishing = asyncio.create_task(self._publish())
        try:
            await asyncio.shield(self._publishing)
        except asyncio.CancelledError:
            self._left = True
            if not self._storing:
                self._publishing.cancel()
            raise

    async def settle(self) -> None:
        """Wait until what is on its way to NATS has arrived, so that `place` is true. Nothing is written after that.

        Raises:
            AudioLogTaken: The line is not as we left it.
            BusUnavailable: NATS stayed away.
        """
        if self._publishing is not None:
            await asyncio.wait([self._publishing])
            if not self._publishing.cancelled():
                self._publishing.result()

    async def end_early(self, error: Status) -> None:
        """Store the end, with an error, behind what is stored: nobody waits for what was taken besides.

        Raises:
            AudioLogTaken: Another connection has taken the log over: the session is its own.
            BusUnavailable: NATS stayed away.
        """
        await self.settle()
        if not self.place.ended:
            message = self._message()
            message.end.CopyFrom(EndOfAudio(error=error))
            await self._store(message)

    async def _publish(self) -> None:
        while not self.place.ended and not self._left:
            message = await self._next()
            self._storing = True
            await self._store(message)
            self._storing = False
            AUDIO_SECONDS.inc(len(message.pcm16) / SAMPLE_BYTES / self._rate_hz)

    async def _store(self, message: LiveInput) -> None:
        """Store a message also when nobody waits for it any more: where the line ends must be known."""
        payload = message.SerializeToString(deterministic=True)
        try:
            sequence = await publish_expecting(
                self._bus, topology.LIVE_AUDIO, self._subject, payload, last=self.place.sequence
            )
        except Conflict:
            raise AudioLogTaken(self._subject) from None
        self.place = self.place.after(message, sequence)

    async def _control(self, control: Control) -> None:
        async with self._changed:
            await self._room(self._has_room)
            self._waiting.append(control)
            self._changed.notify_all()

    async def _room(self, has_room: Callable[[], bool]) -> None:
        self._writers_waiting += 1
        try:
            await self._changed.wait_for(has_room)
        finally:
            self._writers_waiting -= 1

    def _has_room(self) -> bool:
        return self._waiting_bytes < self._buffer_bytes_max and len(self._waiting) < CONTROLS_WAITING_MAX

    def _has_lead(self) -> bool:
        return self.accepted_samples - self._heard_samples < self._lead_samples_max

    def _message(self) -> LiveInput:
        """A message that says nothing but that somebody is there."""
        return LiveInput(first_sample=self.place.samples, first_control=self.place.controls, pcm16=b"")

    async def _next(self) -> LiveInput:
        """The next message: what waits, or a sign of life, or that the client pauses."""
        message = self._message()
        async with self._changed:
            try:
                async with asyncio.timeout(PAUSE_SECONDS if self._spoken else topology.AUDIO_LOG_HEARTBEAT_SECONDS):
                    await self._changed.wait_for(lambda: bool(self._waiting))
            except TimeoutError:
                # A client that we do not read does not pause.
                if self._spoken and not self._writers_waiting:
                    self._spoken = False
                    message.pause.CopyFrom(Pause())
                return message
            self._fill(message)
            self._changed.notify_all()
        self._spoken = bool(message.pcm16)
        return message

    def _fill(self, message: LiveInput) -> None:
        """Put what waits first into a message."""
        first = self._waiting[0]
        if isinstance(first, bytearray):
            message.pcm16 = bytes(first[:MESSAGE_BYTES_MAX])
            del first[:MESSAGE_BYTES_MAX]
            self._waiting_bytes -= len(message.pcm16)
        elif isinstance(first, Finalize):
            message.finalize.CopyFrom(first)
        elif isinstance(first, UpdateConfig):
            message.update_config.CopyFrom(first)
        else:
            message.end.CopyFrom(first)
        if not isinstance(first, bytearray) or not first:
            self._waiting.popleft()
