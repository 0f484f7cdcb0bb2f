"""The events of a live session. Offsets are seconds from the start of the session."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tiro.streaming.v1 import streaming_pb2
from tiro_client.calls.error_details import from_status
from tiro_client.errors import TiroError
from tiro_client.timing import seconds_of
from tiro_client.transcript import Segment, TranscriptWarning


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """The base class of all events."""

    sequence: int
    """1, 2, 3, without gaps, for recorded events. 0 for partials and acknowledgements, which are not recorded."""


@dataclass(frozen=True, slots=True)
class SessionStarted(LiveEvent):
    """The first event: a worker has the session."""

    session_id: str
    engine: str
    model: str
    language: str
    duration_seconds_max: float
    """The longest session that the deployment allows."""
    idle_seconds_max: float
    """The service ends a session that has received nothing for this long."""
    resume_seconds: float
    """How long the session waits for its client after a lost connection. 0: it ends with its connection."""


@dataclass(frozen=True, slots=True)
class Partial(LiveEvent):
    """The current hypothesis for the audio since the last final. The next partial or final replaces it."""

    segment: Segment
    after_sequence: int
    """The sequence number of the last recorded event before it."""


@dataclass(frozen=True, slots=True)
class Final(LiveEvent):
    """A segment that does not change any more. Finals are in order of time and do not overlap."""

    segment: Segment
    warnings: tuple[TranscriptWarning, ...] = ()
    """The warnings about the final. Empty when there are none."""


@dataclass(frozen=True, slots=True)
class SpeechStarted(LiveEvent):
    """Speech begins."""

    offset_seconds: float


@dataclass(frozen=True, slots=True)
class SpeechEnded(LiveEvent):
    """Speech ends."""

    offset_seconds: float


@dataclass(frozen=True, slots=True)
class UtteranceEnd(LiveEvent):
    """An utterance has ended: all audio up to this offset has its finals."""

    offset_seconds: float
    finalized: bool
    """Whether the client requested it, with `finalize`."""


@dataclass(frozen=True, slots=True)
class AudioAck(LiveEvent):
    """The service has stored the audio up to this offset."""

    offset_seconds: float


@dataclass(frozen=True, slots=True)
class WorkerChanged(LiveEvent):
    """Another worker has taken over the session. Finals are kept; partials start again from this offset."""

    offset_seconds: float


@dataclass(frozen=True, slots=True)
class EngineChanged(LiveEvent):
    """The engine failed, and the next one of the routing policy has taken over. As for `WorkerChanged` otherwise."""

    offset_seconds: float
    engine: str
    model: str


@dataclass(frozen=True, slots=True)
class SessionResumed(LiveEvent):
    """A lost connection was replaced. No audio and no final is lost; partials start again."""

    offset_seconds: float
    """The length of the audio that the service had stored. The audio after it is sent again."""
    away_seconds: float
    """How long there was no connection, from when this client noticed the loss."""


@dataclass(frozen=True, slots=True)
class ConfigUpdated(LiveEvent):
    """The configuration from this offset on. None: the deployment's choice."""

    offset_seconds: float
    language: str
    hotwords: tuple[str, ...]
    replacements: Mapping[str, str]
    silence_seconds: float | None
    utterance_seconds_max: float | None
    speech_threshold: float | None


@dataclass(frozen=True, slots=True)
class ConfigRefused(LiveEvent):
    """A change of the configuration was refused. The session goes on with the configuration as it was."""

    offset_seconds: float
    error: TiroError
    """Why it was refused."""


@dataclass(frozen=True, slots=True)
class Lag(LiveEvent):
    """The service is behind the audio that it received, or has caught up."""

    behind_seconds: float
    """Received audio that is not processed yet. 0: the service has caught up."""


@dataclass(frozen=True, slots=True)
class SessionEnded(LiveEvent):
    """The last event: the session has ended."""

    audio_seconds: float
    final_count: int
    upload: str = ""
    """`uploads/{id}` of the recording. Empty unless `keep_recording` was set, there was audio, and it could be kept."""


def event_from_proto(response: streaming_pb2.StreamingTranscribeResponse) -> LiveEvent | None:
    """The event of a message. None for a kind of a newer service that this client does not know.

    Not for `session_resumed`: that message concerns one connection, and `LiveSession` handles it.
    """
    kind = response.WhichOneof("response")
    convert = _CONVERTERS.get(kind) if kind else None
    return convert(response.sequence, getattr(response, kind)) if kind and convert else None


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


def _final(sequence: int, final: streaming_pb2.Final) -> Final:
    warnings = tuple(TranscriptWarning.from_proto(warning) for warning in final.warnings)
    return Final(sequence, Segment.from_proto(final.segment), warnings)


def _updated(sequence: int, updated: streaming_pb2.ConfigUpdated) -> ConfigUpdated:
    endpointing = updated.endpointing
    longest = endpointing.utterance_max
    return ConfigUpdated(
        sequence=sequence,
        offset_seconds=seconds_of(updated.offset),
        language=updated.recognition.language_code,
        hotwords=tuple(updated.recognition.hotwords),
        replacements={pair.find: pair.replace for pair in updated.recognition.replacements},
        silence_seconds=seconds_of(endpointing.silence) if endpointing.HasField("silence") else None,
        utterance_seconds_max=seconds_of(longest) if endpointing.HasField("utterance_max") else None,
        speech_threshold=endpointing.speech_threshold if endpointing.HasField("speech_threshold") else None,
    )


def _refused(sequence: int, refused: streaming_pb2.ConfigRefused) -> ConfigRefused:
    return ConfigRefused(sequence, seconds_of(refused.offset), from_status(refused.error))


def _ended(sequence: int, ended: streaming_pb2.SessionEnded) -> SessionEnded:
    upload = f"uploads/{ended.upload_id}" if ended.upload_id else ""
    return SessionEnded(sequence, seconds_of(ended.audio_duration), ended.final_count, upload)


_CONVERTERS: Mapping[str, Callable[[int, Any], LiveEvent]] = {
    "session_started": _started,
    "partial": lambda sequence, it: Partial(sequence, Segment.from_proto(it.segment), it.after_sequence),
    "final": _final,
    "speech_started": lambda sequence, it: SpeechStarted(sequence, seconds_of(it.offset)),
    "speech_ended": lambda sequence, it: SpeechEnded(sequence, seconds_of(it.offset)),
    "utterance_end": lambda sequence, it: UtteranceEnd(sequence, seconds_of(it.offset), it.finalized),
    "audio_ack": lambda sequence, it: AudioAck(sequence, seconds_of(it.offset)),
    "worker_changed": lambda sequence, it: WorkerChanged(sequence, seconds_of(it.offset)),
    "engine_changed": lambda sequence, it: EngineChanged(sequence, seconds_of(it.offset), it.engine, it.model),
    "session_ended": _ended,
    "config_updated": _updated,
    "config_refused": _refused,
    "lag": lambda sequence, it: Lag(sequence, seconds_of(it.behind)),
}
"""The converters, by the kind of the message."""
