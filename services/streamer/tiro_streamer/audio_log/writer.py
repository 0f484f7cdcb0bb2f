"""The writing end of a session's audio log: each sample and each control is stored once, in order, without a gap.

One message is under way at a time; the input that comes meanwhile is the next one. Each message names the sequence that
it expects before it. So a repetition after an outage of NATS is harmless, and a second writer is refused. A log that
falls behind catches up in large messages.

    OPEN --publish--> PUBLISHING --the end is stored, a write fails, or settle--> SETTLED

In PUBLISHING a background task stores the accepted input, so that the message under way is stored although the
connection is lost. In SETTLED no message is under way, and `position` is the end of the log in NATS: only then may
`end_early` write.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from google.rpc.status_pb2 import Status

from tiro.events.v1.live_pb2 import EndOfAudio, LiveInput, Pause, SessionRecord
from tiro.streaming.v1.streaming_pb2 import Finalize, UpdateConfig
from tiro_core.audio.pcm import SAMPLE_BYTES
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Conflict, MessagingError
from tiro_core.messaging.event_log import Fenced
from tiro_core.messaging.publishing import PATIENCE_SECONDS, publish_expecting
from tiro_streamer.audio_log.input_queue import Control, InputQueue
from tiro_streamer.audio_log.position import LogPosition, find_position
from tiro_streamer.metrics import AUDIO_SECONDS

PAUSE_SECONDS = 1.5
"""A client that sends no audio for this long has paused: with push to talk, a client sends no silence."""
_EMPTY = LogPosition()

log = get_logger()


class AudioLost(MessagingError):  # noqa: N818 - reads as the condition it reports
    """The log is shorter than this writer has written it: it was purged, or the store has lost messages."""


class AudioLogWriter:
    """Writes the audio log of one session for one connection. Its owner closes it."""

    def __init__(
        self,
        bus: Bus,
        record: SessionRecord,
        position: LogPosition = _EMPTY,
        *,
        buffer_bytes_max: int,
        lead_seconds_max: float,
    ) -> None:
        """Prepare to write.

        Args:
            bus: The connection.
            record: The session.
            position: The end of its log.
            buffer_bytes_max: The most PCM16 that may wait for NATS. Then the client is not read.
            lead_seconds_max: The most audio that is accepted beyond that which a worker has processed.
        """
        self._bus = bus
        self._record = record
        self._subject = subjects.live_audio(record.tenant, record.session_id)
        self._rate_hz = record.sample_rate_hertz
        self._queue = InputQueue(
            position.samples,
            bytes_max=buffer_bytes_max,
            unprocessed_samples_max=round(lead_seconds_max * record.sample_rate_hertz),
        )
        self._is_speaking = False
        self._publishing: asyncio.Task[None] | None = None
        self._failure: MessagingError | None = None
        self.position = position
        """The end of the log in NATS."""

    @property
    def accepted_samples(self) -> int:
        """Samples of the session accepted so far."""
        return self._queue.accepted_samples

    @property
    def behind_seconds(self) -> float:
        """Seconds of audio that are stored and not yet processed by a worker."""
        return max(0, self.position.samples - self._queue.processed_samples) / self._rate_hz

    async def write(self, pcm16: bytes) -> None:
        """Accept little-endian samples. Waits while too many wait for NATS, or for a worker."""
        await self._queue.put_audio(pcm16)

    async def finalize(self) -> None:
        """Accept a request to make all audio so far final."""
        await self._queue.put_control(Finalize())

    async def update_config(self, update: UpdateConfig) -> None:
        """Accept a change of the configuration from here on."""
        await self._queue.put_control(update)

    async def refuse_update(self, error: Status) -> None:
        """Accept a change of the configuration that was refused, for the worker to say so in its place."""
        await self._queue.put_control(error)

    async def end(self) -> None:
        """Accept the end of the audio. Nothing may follow it."""
        await self._queue.put_control(EndOfAudio())

    def note_processed(self, samples: int) -> None:
        """Note that a worker has processed this many samples of the session."""
        self._queue.note_processed(samples)

    async def take_over(self) -> None:
        """Write an empty message, after which messages of earlier writers are refused.

        Raises:
            Fenced: Another writer has written since `position` was read.
            BusUnavailable: NATS did not answer.
        """
        await self._in_own_task(self._store(self._message()), "audio-log-take-over")

    async def publish(self) -> None:
        """Store the accepted input until its end is stored. After a cancellation only the message under way is stored.

        Raises:
            Fenced: Another connection has taken over the log.
            AudioLost: The log is shorter than this writer has written it.
            StreamFull: NATS has no room for the message.
            BusUnavailable: NATS did not answer.
        """
        await self._in_own_task(self._publish(), "audio-log")

    async def settle(self) -> None:
        """Stop writing, and wait until the message under way is stored.

        Raises:
            Fenced: Another connection has taken over the log.
            AudioLost: The log is shorter than this writer has written it.
            StreamFull: NATS has no room for the message.
            BusUnavailable: NATS did not answer.
        """
        self._queue.close()
        if self._publishing is not None:
            await asyncio.wait([self._publishing])
        self._raise_failure()

    async def end_early(self, error: Status) -> None:
        """Store the end of the audio, with an error, at the end of the log. Input that is not stored is dropped.

        Raises:
            Fenced: Another connection has taken over the log, and with it the session.
            AudioLost: The log is shorter than this writer has written it.
            StreamFull: NATS has no room for the message.
            BusUnavailable: NATS did not answer.
        """
        await self.settle()
        if not self.position.ended:
            message = self._message()
            message.end.CopyFrom(EndOfAudio(error=error))
            await self._in_own_task(self._store(message), "audio-log-end")

    async def close(self) -> None:
        """Cancel the message under way. It may be stored or not."""
        self._queue.close()
        if self._publishing is not None:
            self._publishing.cancel()
            await asyncio.wait([self._publishing])

    async def _in_own_task(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run work whose outcome must be known even if its caller is cancelled."""
        self._publishing = asyncio.create_task(self._recording_failure(work), name=name)
        try:
            await asyncio.shield(self._publishing)
        except asyncio.CancelledError:
            self._queue.close()
            raise
        self._raise_failure()

    async def _recording_failure(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work. Its failure is raised by the next call that waits for it, and logged, because there may be none."""
        try:
            await work
        except Fenced as failure:
            self._failure = failure
        except MessagingError as failure:
            self._failure = failure
            log.warning("audio_not_stored", subject=self._subject, error=repr(failure))

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _publish(self) -> None:
        while not self.position.ended:
            message = await self._next()
            if message is None:
                return
            await self._store(message)
            AUDIO_SECONDS.inc(len(message.pcm16) / SAMPLE_BYTES / self._rate_hz)

    async def _store(self, message: LiveInput) -> None:
        payload = message.SerializeToString(deterministic=True)
        try:
            sequence = await publish_expecting(
                self._bus, topology.LIVE_AUDIO, self._subject, payload, last=self.position.sequence
            )
        except Conflict:
            raise await self._explain_conflict() from None
        self.position = self.position.after(message, sequence)

    async def _explain_conflict(self) -> MessagingError:
        """The error for a log that does not end with this writer's last message."""
        position = await find_position(
            self._bus, self._record.tenant, self._record.session_id, patience_seconds=PATIENCE_SECONDS
        )
        return (AudioLost if position.sequence < self.position.sequence else Fenced)(self._subject)

    async def _next(self) -> LiveInput | None:
        """The next message: input, a pause, or a heartbeat. None: the queue is closed, and none follows."""
        message = self._message()
        item = await self._queue.take(PAUSE_SECONDS if self._is_speaking else topology.AUDIO_LOG_HEARTBEAT_SECONDS)
        if self._queue.is_closed:
            return None
        if item is None:
            # A client that is not read because a limit is reached has not paused.
            if self._is_speaking and not self._queue.blocks_writers:
                self._is_speaking = False
                message.pause.CopyFrom(Pause())
            return message
        _fill(message, item)
        self._is_speaking = isinstance(item, bytes)
        return message

    def _message(self) -> LiveInput:
        """A message without content: a heartbeat of the streamer."""
        return LiveInput(first_sample=self.position.samples, first_control=self.position.controls, pcm16=b"")


def _fill(message: LiveInput, item: bytes | Control) -> None:
    match item:
        case bytes():
            message.pcm16 = item
        case Finalize():
            message.finalize.CopyFrom(item)
        case UpdateConfig():
            message.update_config.CopyFrom(item)
        case Status():
            message.refused_update.CopyFrom(item)
        case EndOfAudio():
            message.end.CopyFrom(item)
