"""The session worker: from an offered session to one that is claimed, run, and ended or handed over."""

import asyncio
from collections.abc import Callable
from contextlib import closing

import grpc
import structlog
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from nats.aio.msg import Msg

from tiro.events.v1.live_pb2 import SessionRecord, SessionTask
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.blobs.interface import BlobStore, StorageUnavailable
from tiro_core.errors import TiroError
from tiro_core.leases.claims import Claimed, Deferred, Terminal
from tiro_core.leases.owned_record import OwnedRecord
from tiro_core.leases.renewal import hold_lease
from tiro_core.logs import get_logger
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.publishing import StreamFull
from tiro_core.messaging.records import RecordStore
from tiro_engines.interface import EngineRefused, UnsupportedLanguage
from tiro_transcriber import metrics
from tiro_transcriber.engine.host import EngineHost
from tiro_transcriber.engine.usage_meter import UsageMeter
from tiro_transcriber.errors import engine_fault, first_cause, require_consent, unsupported_language
from tiro_transcriber.sessions.checkpoint import CheckpointTracker
from tiro_transcriber.sessions.claims import LEASE_SECONDS, WrongModel, claim
from tiro_transcriber.sessions.config import SessionConfig
from tiro_transcriber.sessions.input import open_session_input
from tiro_transcriber.sessions.load import SessionLoad
from tiro_transcriber.sessions.mover import SessionMover
from tiro_transcriber.sessions.output import SessionOutput
from tiro_transcriber.sessions.recording import keep_recording
from tiro_transcriber.sessions.shadow import start_shadow
from tiro_transcriber.sessions.transcriber import Engine, SessionTranscriber
from tiro_transcriber.shielding import OWNERSHIP_ERRORS, shielded, with_deadline

RENEWAL_SECONDS = LEASE_SECONDS / 3
FAILURES_MAX = 4
"""A session over which so many workers were lost or failed, without a step forward, is ended, not tried again."""
RETRY_SECONDS = 0.5

log = get_logger()


class SessionWorker:
    """Handles offered sessions. One for all session slots of a worker."""

    def __init__(
        self,
        bus: Bus,
        blobs: BlobStore,
        host: EngineHost,
        worker: WorkerRecord,
        load: SessionLoad,
        *,
        mover: SessionMover,
        usage: UsageMeter,
        grace_seconds: float,
        line_silence_seconds_max: float,
    ) -> None:
        self._bus = bus
        self._blobs = blobs
        self._host = host
        self._load = load
        self._store = RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)
        self._worker = worker
        self._mover = mover
        self._usage = usage
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
            except OWNERSHIP_ERRORS as error:
                # The message stays unsettled: it is offered again when its time is over.
                metrics.SESSIONS.labels("lost").inc()
                log.warning("session_left", reason=repr(error))

    async def _claim_and_run(self, task: SessionTask, message: Msg) -> None:
        async def give_back(outcome: object) -> None:
            if isinstance(outcome, Claimed):
                await self._hand_over(outcome.owned, message, delay_seconds=0)

        key = subjects.record(task.tenant, task.session_id)
        claiming = claim(self._bus, self._store, key, self._worker, self._load)
        match await shielded(claiming, self._grace_seconds, give_back):
            case Claimed(owned):
                if (route := self._mover.way_out(owned.value)) is not None:
                    await self._mover.move(owned, message, route, f"{owned.value.failure_count} workers lost or failed")
                    return
                with self._load.session():
                    await self._run(owned, message)
            case WrongModel(record):
                await self._mover.offer_on(record, message)
            case Deferred(retry_in):
                await message.nak(delay=retry_in.total_seconds())
            case Terminal():
                await message.ack()

    async def _run(self, owned: OwnedRecord[SessionRecord], message: Msg) -> None:
        log.info("session_claimed", epoch=owned.epoch)
        if owned.epoch > 1:
            metrics.SESSIONS_TAKEN_OVER.inc()
        output = SessionOutput(self._bus, owned.value)
        place = CheckpointTracker(owned.value.checkpoint)
        error, samples, upload_id = None, 0, ""
        try:
            async with hold_lease(owned, message, RENEWAL_SECONDS, place.note):
                if await output.take_over(self._worker.worker_id):
                    error, samples = await self._transcribe_or_give_up(owned.value, output, place)
                    if samples:
                        upload_id = await self._keep_audio(owned.value, output, samples, was_whole=error is None)
        except asyncio.CancelledError:
            await with_deadline(self._grace_seconds, self._hand_over(owned, message, delay_seconds=0, note=place.note))
            metrics.SESSIONS.labels("handed_over").inc()
            log.info("session_handed_over")
            raise
        except ExceptionGroup as group:
            await shielded(self._broken(owned, message, first_cause(group)), self._grace_seconds)
            return
        ending = self._end(owned, output, message, samples=samples, error=error, upload_id=upload_id)
        await shielded(ending, self._grace_seconds)

    async def _keep_audio(self, record: SessionRecord, output: SessionOutput, samples: int, *, was_whole: bool) -> str:
        """Keep the audio for whoever wants it: the caller, who is told its upload, and the policy's shadow."""
        # One that another engine has gone on with is not one engine's to be compared.
        shadowed = record.HasField("shadow") and was_whole and not output.engine_changed
        if not (record.keep_recording or shadowed):
            return ""
        upload_id = await self._keep_recording(record, samples)
        if upload_id and shadowed:
            try:
                await start_shadow(self._bus, record, upload_id, samples)
            except (*OWNERSHIP_ERRORS, StreamFull) as error:  # the session is whole without it
                log.warning("shadow_not_begun", reason=repr(error))
        return upload_id if record.keep_recording else ""

    async def _keep_recording(self, record: SessionRecord, samples: int) -> str:
        """Keep the audio, and return its upload.

        Where it cannot be kept, a session that is given up ends all the same, and so does one whose caller does not
        want it.
        """
        try:
            return await keep_recording(self._bus, self._blobs, record, samples)
        except StorageUnavailable as error:
            if record.keep_recording and record.failure_count < FAILURES_MAX:
                raise
            log.error("recording_not_kept", reason=str(error))  # noqa: TRY400 - a line says it all
            return ""

    async def _transcribe_or_give_up(
        self, record: SessionRecord, output: SessionOutput, place: CheckpointTracker
    ) -> tuple[Status | None, int]:
        if record.failure_count < FAILURES_MAX:
            return await self._transcribe(record, output, place)
        message = f"given up after {record.failure_count} workers were lost over this session or failed on it"
        failed = TiroError(grpc.StatusCode.INTERNAL, reasons.ERROR_REASON_SESSION_FAILED, message)
        return failed.to_status(), output.next_sample

    async def _transcribe(
        self, record: SessionRecord, output: SessionOutput, place: CheckpointTracker
    ) -> tuple[Status | None, int]:
        first = output.first_sample
        config = SessionConfig(record, output.config_at(output.next_sample))
        try:
            require_consent(self._host.engine, record)
            session = await self._host.open_session(config.options, output.to_engine(first), output.spoken)
        except TiroError as error:
            return error.to_status(), first
        except UnsupportedLanguage as error:  # its language has changed since the door has looked
            if self._mover.way_out(record, error) is not None:
                raise
            return unsupported_language(error).to_status(), first
        transcribing = SessionTranscriber(
            Engine(session, self._host.session_threads, self._load),
            output,
            config,
            place,
            rate_hz=record.sample_rate_hertz,
            line_silence_seconds_max=self._line_silence_seconds_max,
        )
        with self._usage.counting(record.tenant, session), closing(session):
            async with open_session_input(self._bus, record, first, came=transcribing.wake) as line:
                try:
                    return await transcribing.run(line), line.position
                except UnsupportedLanguage as error:
                    if self._mover.way_out(record, error) is not None:
                        raise
                    return unsupported_language(error).to_status(), line.position
                except EngineRefused as error:
                    if self._mover.way_out(record, error) is not None:
                        raise
                    return engine_fault(error).to_status(), line.position

    async def _end(
        self,
        owned: OwnedRecord[SessionRecord],
        output: SessionOutput,
        message: Msg,
        *,
        samples: int,
        error: Status | None,
        upload_id: str,
    ) -> None:
        await output.end(samples, error, upload_id)

        def end(record: SessionRecord) -> None:
            record.state = SessionRecord.STATE_ENDED
            record.ClearField("lease")
            if error is not None:
                record.error.CopyFrom(error)

        record = await owned.update(end)
        audio = subjects.live_audio(record.tenant, record.session_id)
        await self._bus.jetstream.purge_stream(topology.LIVE_AUDIO, subject=audio)
        await message.ack()
        metrics.SESSIONS.labels("cut_short" if error else "ended").inc()
        log.info("session_ended", samples=samples, finals=output.final_count, reason=error.message if error else "")

    async def _broken(self, owned: OwnedRecord[SessionRecord], message: Msg, cause: BaseException) -> None:
        if isinstance(cause, OWNERSHIP_ERRORS):
            raise cause
        log.error("session_broken", epoch=owned.epoch, exc_info=cause)
        if (route := self._mover.way_out(owned.value, cause)) is not None:
            await self._mover.move(owned, message, route, repr(cause))
            return
        await self._hand_over(owned, message, delay_seconds=RETRY_SECONDS, failure_count=1)
        metrics.SESSIONS.labels("broken").inc()

    async def _hand_over(
        self,
        owned: OwnedRecord[SessionRecord],
        message: Msg,
        *,
        delay_seconds: float,
        failure_count: int = 0,
        note: Callable[[SessionRecord], None] = lambda _: None,
    ) -> None:
        """Give the session back, for another worker to go on where this one was."""

        def wait(record: SessionRecord) -> None:
            note(record)
            record.state = SessionRecord.STATE_WAITING
            record.failure_count += failure_count
            record.ClearField("lease")

        await owned.update(wait)
        await message.nak(delay=delay_seconds)
