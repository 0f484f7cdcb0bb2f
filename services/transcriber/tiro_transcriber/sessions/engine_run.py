"""Running one session on the engine: from the position of the owner before to the end of its audio."""

from contextlib import closing
from functools import partial

from google.rpc.status_pb2 import Status

from tiro.events.v1.live_pb2 import SessionRecord
from tiro_core.errors import TiroError
from tiro_core.messaging.connection import Bus
from tiro_core.routing.suitability import NO_OPTIONS
from tiro_engines.interface import EngineRefused, EngineSession, UnsupportedLanguage
from tiro_transcriber.engine.host import EngineHost
from tiro_transcriber.engine.suitability import require_served
from tiro_transcriber.engine.usage_meter import UsageMeter
from tiro_transcriber.errors import engine_fault, require_consent, unsupported_language
from tiro_transcriber.pipeline.pipeline import Pipelines
from tiro_transcriber.sessions.checkpoint import CheckpointTracker
from tiro_transcriber.sessions.config import SessionConfig
from tiro_transcriber.sessions.input import open_session_input
from tiro_transcriber.sessions.load import SessionLoad
from tiro_transcriber.sessions.mover import SessionMover
from tiro_transcriber.sessions.output import SessionOutput
from tiro_transcriber.sessions.transcriber import SessionEngine, SessionTranscriber


class EngineRun:
    """Runs sessions on a worker's engine."""

    def __init__(
        self,
        bus: Bus,
        host: EngineHost,
        load: SessionLoad,
        *,
        pipelines: Pipelines,
        mover: SessionMover,
        usage: UsageMeter,
        silence_seconds_max: float,
    ) -> None:
        self._bus = bus
        self._host = host
        self._load = load
        self._pipelines = pipelines
        self._mover = mover
        self._usage = usage
        self._silence_seconds_max = silence_seconds_max

    async def run(
        self, record: SessionRecord, output: SessionOutput, checkpoint: CheckpointTracker
    ) -> tuple[Status | None, int]:
        """Transcribe a session until its audio ends.

        Args:
            record: The session.
            output: The output of its events, which this worker has taken over.
            checkpoint: The checkpoint, which moves with the session.

        Returns:
            The error that ended the session, None where its client ended it; and the number of its samples.

        Raises:
            EngineUnavailable, EngineRefused, UnsupportedLanguage, TiroError: This engine cannot serve the session, and
                another one of its policy may.
        """
        first = output.first_sample
        config = SessionConfig(record, output.events.config, self._host.engine.capabilities.languages)
        try:
            require_consent(self._host.engine, record)
            require_served(self._host.engine, record)
            session = await self._host.open_session(config.options, output.to_engine(first), output.context)
        except (TiroError, UnsupportedLanguage) as error:  # the latter where the language was changed since
            return self._refused(record, error), first
        with self._usage.counting(record.tenant, session), closing(session):
            output.use(config.message, await self._pipelines.open(config.message, NO_OPTIONS))
            transcriber = self._transcriber(record, session, output, config, checkpoint)
            async with open_session_input(self._bus, record, first, on_data=transcriber.wake) as audio_log:
                try:
                    return await transcriber.run(audio_log), audio_log.position
                except (UnsupportedLanguage, EngineRefused) as error:
                    return self._refused(record, error), audio_log.position

    def _refused(self, record: SessionRecord, error: TiroError | UnsupportedLanguage | EngineRefused) -> Status:
        """The error that the client gets. Raises `error` if another engine of the policy may serve the session."""
        if self._mover.next_engine(record, error) is not None:
            raise error
        match error:
            case TiroError():
                return error.to_status()
            case EngineRefused():
                return engine_fault(error).to_status()
            case UnsupportedLanguage():
                return unsupported_language(error).to_status()

    def _transcriber(
        self,
        record: SessionRecord,
        session: EngineSession,
        output: SessionOutput,
        config: SessionConfig,
        checkpoint: CheckpointTracker,
    ) -> SessionTranscriber:
        return SessionTranscriber(
            SessionEngine(
                session,
                self._host.session_threads,
                self._load,
                self._pipelines,
                refusal=partial(self._refused, record),
            ),
            output,
            config,
            checkpoint,
            rate_hz=record.sample_rate_hertz,
            silence_seconds_max=self._silence_seconds_max,
        )
