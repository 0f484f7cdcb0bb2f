"""What happens in a live session, as this library gives it. Offsets are seconds from the start of the session."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

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
    resume_seconds: float
    """How long the session waits for its client when the connection is lost. 0: it ends with its connection."""


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
class EngineChanged(LiveEvent):
    """Its engine failed, and another of the session's policy goes on. Finals stay; partials begin anew from here."""

    offset_seconds: float
    engine: str
    model: str


@dataclass(frozen=True, slots=True)
class SessionResumed(LiveEvent):
    """The connection was lost, and the session goes on over another one. Nothing is lost; partials begin anew."""

    offset_seconds: float
    """How much of the audio the service had. What came after it is sent again."""
    away_seconds: float
    """How long there was no connection, from when this client noticed."""


@dataclass(frozen=True, slots=True)
class ConfigUpdated(LiveEvent):
    """The session recognizes differently from here on. None is the deployment's choice."""

    offset_seconds: float
    language: str
    hotwords: tuple[str, ...]
    silence_seconds: float | None
    utterance_seconds_max: float | None
    speech_threshold: float | None


@dataclass(frozen=True, slots=True)
class Lag(LiveEvent):
    """The service is behind what it was sent, or no longer."""

    behind_seconds: float
    """Audio that it has and has not heard yet. 0 once it has caught up."""


@dataclass(frozen=True, slots=True)
class SessionEnded(LiveEvent):
    """The session is over. The last event."""

    audio_seconds: float
    final_count: int
    upload: str = ""
    """`uploads/{id}` of the recording. Empty unless it was to be kept and there was any audio."""


def event_from_proto(response: streaming_pb2.StreamingTranscribeResponse) -> LiveEvent | None:
    """The event of a message. None for a kind that a later service knows and this client does not.

    `SessionResumed` is not made here: the message is one connection's, and says what that one has to send again.
    """
    kind = response.WhichOneof("response")
    make = _MAKERS.get(kind) if kind else None
    return make(response.sequence, getattr(response, kind)) if kind and make else None


def _started(sequence: int, started: streaming_pb2.SessionStarted) -> SessionStarted:
    return SessionStarted(
        sequence=sequence,
        session_id=started.session_id,
        engine=started.recognition.engine,
        model=started.recognition.model,
        language=started.recognition.language_code,
        duration_seconds_max=seconds_of(started.duration_max),
        idle_seconds_max=seconds_of(started.idle_max),
        resume_seconds=seconds_of(started.resume_window) if started.resume_token else 0.0,
    )


def _updated(sequence: int, updated: streaming_pb2.ConfigUpdated) -> ConfigUpdated:
    endpointing = updated.endpointing
    longest = endpointing.utterance_max
    return ConfigUpdated(
        sequence=sequence,
        offset_seconds=seconds_of(updated.offset),
        language=updated.recognition.language_code,
        hotwords=tuple(updated.recognition.hotwords),
        silence_seconds=seconds_of(endpointing.silence) if endpointing.HasField("silence") else None,
        utterance_seconds_max=seconds_of(longest) if endpointing.HasField("utterance_max") else None,
        speech_threshold=endpointing.speech_threshold if endpointing.HasField("speech_threshold") else None,
    )


def _ended(sequence: int, ended: streaming_pb2.SessionEnded) -> SessionEnded:
    upload = f"uploads/{ended.upload_id}" if ended.upload_id else ""
    return SessionEnded(sequence, seconds_of(ended.audio_duration), ended.final_count, upload)


_MAKERS: Mapping[str, Callable[[int, Any], LiveEvent]] = {
    "session_started": _started,
    "partial": lambda sequence, it: Partial(sequence, Segment.from_proto(it.segment), it.after_sequence),
    "final": lambda sequence, it: Final(sequence, Segment.from_proto(it.segment)),
    "speech_started": lambda sequence, it: SpeechStarted(sequence, seconds_of(it.offset)),
    "speech_ended": lambda sequence, it: SpeechEnded(sequence, seconds_of(it.offset)),
    "utterance_end": lambda sequence, it: UtteranceEnd(sequence, seconds_of(it.offset), it.finalized),
    "audio_ack": lambda sequence, it: AudioAck(sequence, seconds_of(it.offset)),
    "worker_changed": lambda sequence, it: WorkerChanged(sequence, seconds_of(it.offset)),
    "engine_changed": lambda sequence, it: EngineChanged(sequence, seconds_of(it.offset), it.engine, it.model),
    "session_ended": _ended,
    "config_updated": _updated,
    "lag": lambda sequence, it: Lag(sequence, seconds_of(it.behind)),
}
"""By the message's kind."""
