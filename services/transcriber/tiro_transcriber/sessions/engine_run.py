"""One session through the engine: opened where the owner before was, run to the end of its audio, closed."""

from contextlib import closing

from google.rpc.status_pb2 import Status

from tiro.events.v1.live_pb2 import SessionRecord
from tiro_core.errors import TiroError
from tiro_core.messaging.connection import Bus
from tiro_engines.interface import EngineRefused, EngineSession, UnsupportedLanguage
from tiro_transcriber.engine.host import EngineHost
from tiro_transcriber.engine.suitability import require_served
from tiro_transcriber.engine.usage_meter import UsageMeter
from tiro_transcriber.errors import engine_fault, require_consent, unsupported_language
from tiro_transcriber.sessions.checkpoint import CheckpointTracker
from tiro_transcriber.sessions.config import SessionConfig
from tiro_transcriber.sessions.input import open_session_input
from tiro_transcriber.sessions.load import SessionLoad
from tiro_transcriber.sessions.mover import SessionMover
from tiro_transcriber.sessions.output import SessionOutput
from tiro_transcriber.sessions.transcriber import Engine, SessionTranscriber


class EngineRun:
    """Runs sessions on a worker's engine."""

    def __init__(
        self,
        bus: Bus,
        host: EngineHost,
        load: SessionLoad,
        *,
        mover: SessionMover,
        usage: UsageMeter,
        line_silence_seconds_max: float,
    ) -> None:
        self._bus = bus
        self._host = host
        self._load = load
        self._mover = mover
        self._usage = usage
        self._line_silence_seconds_max = line_silence_seconds_max

    async def run(
        self, record: SessionRecord, output: SessionOutput, checkpoint: CheckpointTracker
    ) -> tuple[Status | None, int]:
        """Transcribe a session until its audio ends.

        Args:
            record: The session.
            output: Where its events go; this worker has taken it over.
            checkpoint: Follows how far the session is.

        Returns:
            Why it ended, when that was not the caller's wish; and how many samples it had.

        Raises:
            EngineUnavailable, EngineRefused, UnsupportedLanguage, TiroError: Only another engine may serve it.
        """
        first = output.first_sample
        config = SessionConfig(record, output.config_at(output.next_sample))
        try:
            require_consent(self._host.engine, record)
            require_served(self._host.engine, record)
            session = await self._host.open_session(config.options, output.to_engine(first), output.spoken)
        except (TiroError, UnsupportedLanguage) as error:  # the latter where its language has changed since
            return self._refused(record, error), first
        transcriber = self._transcriber(record, session, output, config, checkpoint)
        with self._usage.counting(record.tenant, session), closing(session):
            async with open_session_input(self._bus, record, first, came=transcriber.wake) as line:
                try:
                    return await transcriber.run(line), line.position
                except (UnsupportedLanguage, EngineRefused) as error:
                    return self._refused(record, error), line.position

    def _refused(self, record: SessionRecord, error: TiroError | UnsupportedLanguage | EngineRefused) -> Status:
        """What the caller learns of a refusal, unless another engine of the session's policy may serve it."""
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
            Engine(session, self._host.session_threads, self._load),
            output,
            config,
            checkpoint,
            rate_hz=record.sample_rate_hertz,
            line_silence_seconds_max=self._line_silence_seconds_max,
        )
