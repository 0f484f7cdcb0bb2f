"""The session worker: from an offered session to one that is claimed, run, and ended or handed over."""

import asyncio

import grpc
import structlog
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from nats.aio.msg import Msg

from tiro.events.v1.live_pb2 import SessionRecord, SessionTask
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.bus import subjects, topology
from tiro_core.bus.connection import Bus
from tiro_core.bus.ownership import OwnedRecord
from tiro_core.bus.records import RecordStore
from tiro_core.errors import TiroError
from tiro_core.logs import get_logger
from tiro_transcriber import telemetry
from tiro_transcriber.claims import Claimed, Over, Taken
from tiro_transcriber.engine_host import EngineHost
from tiro_transcriber.engines.interface import SAMPLE_RATE
from tiro_transcriber.failures import first_cause
from tiro_transcriber.finishing import LEFT, uninterrupted, within
from tiro_transcriber.keepalive import kept
from tiro_transcriber.sessions.claiming import LEASE_SECONDS, claim
from tiro_transcriber.sessions.input import open_session_input
from tiro_transcriber.sessions.output import SessionOutput
from tiro_transcriber.sessions.transcribing import Transcribing, options_of

RENEWAL_SECONDS = LEASE_SECONDS / 3
BREAKAGES_MAX = 4
"""A session over which so many workers were lost or failed is ended rather than tried once more."""
RETRY_SECONDS = 0.5

log = get_logger()


class SessionWorker:
    """Handles offered sessions. One for all session slots of a worker."""

    def __init__(
        self, bus: Bus, host: EngineHost, worker_id: str, *, grace_seconds: float, line_silence_seconds_max: float
    ) -> None:
        self._bus = bus
        self._host = host
        self._store = RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)
        self._worker_id = worker_id
        self._grace_seconds = grace_seconds
        self._line_silence_seconds_max = line_silence_seconds_max

    async def handle(self, message: Msg) -> None:
        """Do what an offered session needs, and settle its message."""
        try:
            task = SessionTask.FromString(message.data)
        except DecodeError as error:
            log.error("hint_unreadable", subject=message.subject, error=repr(error))  # noqa: TRY400 - a line says it all
            await message.term()
            return
        with structlog.contextvars.bound_contextvars(tenant=task.tenant, session=task.session_id):
            try:
                await self._claim_and_run(task, message)
            except LEFT as error:
                # The message stays unsettled: it is offered again when its time is over.
                telemetry.SESSIONS.labels("lost").inc()
                log.warning("session_left", reason=repr(error))

    async def _claim_and_run(self, task: SessionTask, message: Msg) -> None:
        async def give_back(outcome: object) -> None:
            if isinstance(outcome, Claimed):
                await self._hand_over(outcome.owned, message, delay_seconds=0)

        claiming = claim(self._bus, self._store, subjects.record(task.tenant, task.session_id), self._worker_id)
        match await uninterrupted(claiming, self._grace_seconds, give_back):
            case Claimed(owned):
                with telemetry.SESSIONS_ACTIVE.track_inprogress():
                    await self._run(owned, message)
            case Taken(retry_in):
                await message.nak(delay=retry_in.total_seconds())
            case Over():
                await message.ack()

    async def _run(self, owned: OwnedRecord[SessionRecord], message: Msg) -> None:
        log.info("session_claimed", epoch=owned.epoch)
        output = SessionOutput(self._bus, owned.value)
        error, samples = None, 0
        try:
            async with kept(owned, message, RENEWAL_SECONDS):
                if await output.take_over(self._worker_id):
                    error, samples = await self._transcribe_or_give_up(owned.value, output)
        except asyncio.CancelledError:
            await within(self._grace_seconds, self._hand_over(owned, message, delay_seconds=0))
            telemetry.SESSIONS.labels("handed_over").inc()
            log.info("session_handed_over")
            raise
        except ExceptionGroup as group:
            await uninterrupted(self._broken(owned, message, first_cause(group)), self._grace_seconds)
            return
        await uninterrupted(self._end(owned, output, message, samples=samples, error=error), self._grace_seconds)

    async def _transcribe_or_give_up(self, record: SessionRecord, output: SessionOutput) -> tuple[Status | None, int]:
        if record.breakages < BREAKAGES_MAX:
            return await self._transcribe(record, output)
        message = f"given up after {record.breakages} workers were lost over this session or failed on it"
        failed = TiroError(grpc.StatusCode.INTERNAL, reasons.ERROR_REASON_SESSION_FAILED, message)
        return failed.to_status(), output.next_sample

    async def _transcribe(self, record: SessionRecord, output: SessionOutput) -> tuple[Status | None, int]:
        first = output.next_sample
        engine_start = round(first * SAMPLE_RATE / record.sample_rate_hertz)
        session = await self._host.open_session(options_of(record), engine_start)
        reading = open_session_input(self._bus, record, first, answered_finalizes=output.finalize_count)
        async with reading as line:
            transcribing = Transcribing(
                self._host,
                session,
                line,
                output,
                rate_hz=record.sample_rate_hertz,
                line_silence_seconds_max=self._line_silence_seconds_max,
            )
            return await transcribing.run(), line.position

    async def _end(
        self,
        owned: OwnedRecord[SessionRecord],
        output: SessionOutput,
        message: Msg,
        *,
        samples: int,
        error: Status | None,
    ) -> None:
        await output.end(samples, error)

        def end(record: SessionRecord) -> None:
            record.state = SessionRecord.STATE_ENDED
            record.ClearField("lease")
            if error is not None:
                record.error.CopyFrom(error)

        record = await owned.update(end)
        audio = subjects.live_audio(record.tenant, record.session_id)
        await self._bus.jetstream.purge_stream(topology.LIVE_AUDIO, subject=audio)
        await message.ack()
        telemetry.SESSIONS.labels("cut_short" if error else "ended").inc()
        log.info("session_ended", samples=samples, finals=output.final_count, reason=error.message if error else "")

    async def _broken(self, owned: OwnedRecord[SessionRecord], message: Msg, cause: BaseException) -> None:
        if isinstance(cause, LEFT):
            raise cause
        log.error("session_broken", epoch=owned.epoch, exc_info=cause)
        await self._hand_over(owned, message, delay_seconds=RETRY_SECONDS, breakages=1)
        telemetry.SESSIONS.labels("broken").inc()

    async def _hand_over(
        self, owned: OwnedRecord[SessionRecord], message: Msg, *, delay_seconds: float, breakages: int = 0
    ) -> None:
        """Give the session back, for another worker to go on from its last final."""

        def wait(record: SessionRecord) -> None:
            record.state = SessionRecord.STATE_WAITING
            record.breakages += breakages
            record.ClearField("lease")

        await owned.update(wait)
        await message.nak(delay=delay_seconds)
