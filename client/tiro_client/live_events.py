"""What happens in a live session, as this library gives it. Offsets are seconds from the start of the session."""

from dataclasses import dataclass

from tiro.streaming.v1 import streaming_pb2
from tiro_client.timing import seconds_of
from tiro_client.transcript import Segment


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """The base of all events."""

    sequence: int
    """1, 2, 3, without gaps, for finals and states. 0 for partials and acknowledgements, which are not recorded."""


@dataclass(frozen=True, slots=True)
class SessionStarted(LiveEvent):
    """The session is open and a worker has it. The first event."""

    session_id: str
    engine: str
    model: str
    language: str
    duration_seconds_max: float
    """The longest session the deployment takes."""
    idle_seconds_max: float
    """The session is ended when nothing has come from the client for this long."""


@dataclass(frozen=True, slots=True)
class Partial(LiveEvent):
    """The text since the last final as it looks now. It replaces the partial before it; a final replaces it."""

    segment: Segment
    after_sequence: int
    """The sequence number of the final or state it comes after."""


@dataclass(frozen=True, slots=True)
class Final(LiveEvent):
    """A segment that will not change. Finals follow each other in time and do not overlap."""

    segment: Segment


@dataclass(frozen=True, slots=True)
class SpeechStarted(LiveEvent):
    """Someone began to speak."""

    offset_seconds: float


@dataclass(frozen=True, slots=True)
class SpeechEnded(LiveEvent):
    """They stopped."""

    offset_seconds: float


@dataclass(frozen=True, slots=True)
class UtteranceEnd(LiveEvent):
    """Everything before this is final."""

    offset_seconds: float
    finalized: bool
    """The client asked for it."""


@dataclass(frozen=True, slots=True)
class AudioAck(LiveEvent):
    """Audio up to here is stored."""

    offset_seconds: float


@dataclass(frozen=True, slots=True)
class WorkerChanged(LiveEvent):
    """Another worker has taken the session over. Finals stay; partials begin anew from here."""

    offset_seconds: float


@dataclass(frozen=True, slots=True)
class SessionEnded(LiveEvent):
    """The session is over. The last event."""

    audio_seconds: float
    final_count: int


def event_from_proto(response: streaming_pb2.StreamingTranscribeResponse) -> LiveEvent | None:  # noqa: PLR0911 - one return an event
    """The event of a message. None for a kind that a later service knows and this client does not."""
    sequence = response.sequence
    match response.WhichOneof("response"):
        case "session_started":
            return _started(sequence, response.session_started)
        case "partial":
            partial = response.partial
            return Partial(sequence, Segment.from_proto(partial.segment), partial.after_sequence)
        case "final":
            return Final(sequence, Segment.from_proto(response.final.segment))
        case "speech_started":
            return SpeechStarted(sequence, seconds_of(response.speech_started.offset))
        case "speech_ended":
            return SpeechEnded(sequence, seconds_of(response.speech_ended.offset))
        case "utterance_end":
            end = response.utterance_end
            return UtteranceEnd(sequence, seconds_of(end.offset), end.finalized)
        case "audio_ack":
            return AudioAck(sequence, seconds_of(response.audio_ack.offset))
        case "worker_changed":
            return WorkerChanged(sequence, seconds_of(response.worker_changed.offset))
        case "session_ended":
            ended = response.session_ended
            return SessionEnded(sequence, seconds_of(ended.audio_duration), ended.final_count)
        case _:
            return None


def _started(sequence: int, started: streaming_pb2.SessionStarted) -> SessionStarted:
    return SessionStarted(
        sequence=sequence,
        session_id=started.session_id,
        engine=started.recognition.engine,
        model=started.recognition.model,
        language=started.recognition.language_code,
        duration_seconds_max=seconds_of(started.duration_max),
        idle_seconds_max=seconds_of(started.idle_max),
    )
