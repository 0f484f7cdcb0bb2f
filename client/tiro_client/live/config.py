"""The configuration of a live stream."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tiro.speech.v1.audio_pb2 import AudioEncoding as EncodingMessage
from tiro.speech.v1.audio_pb2 import AudioFormat
from tiro.streaming.v1.streaming_pb2 import Endpointing, Hotwords, Replacements, StreamingConfig, UpdateConfig
from tiro_client.recognition import Recognition, replacement_messages
from tiro_client.timing import duration_of

RESUME_SECONDS = 30.0
"""How long a lost connection may take to be replaced, unless the caller says otherwise."""


class AudioEncoding(enum.StrEnum):
    """The encoding of live audio."""

    LINEAR16 = "linear16"
    """16-bit signed little-endian PCM samples without a header."""
    MULAW = "mulaw"
    """8-bit G.711 mu-law samples without a header."""
    FLAC = "flac"
    """A FLAC stream, which begins with its header."""
    OGG_OPUS = "ogg_opus"
    """Opus in an Ogg stream, which begins with its header pages."""


_ENCODINGS = {
    AudioEncoding.LINEAR16: EncodingMessage.AUDIO_ENCODING_LINEAR16,
    AudioEncoding.MULAW: EncodingMessage.AUDIO_ENCODING_MULAW,
    AudioEncoding.FLAC: EncodingMessage.AUDIO_ENCODING_FLAC,
    AudioEncoding.OGG_OPUS: EncodingMessage.AUDIO_ENCODING_OGG_OPUS,
}


_SAMPLE_BYTES = {AudioEncoding.LINEAR16: 2, AudioEncoding.MULAW: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveConfig(Recognition):
    """The configuration of a live stream. Fields that are empty or None are left to the deployment."""

    encoding: AudioEncoding = AudioEncoding.LINEAR16
    sample_rate: int = 0
    """Samples per second, 8000 to 48000. Required for LINEAR16 and MULAW; the other encodings carry it."""
    channels: int = 1
    """Interleaved channels, 1 to 8, which the service mixes to one. Only for LINEAR16 and MULAW."""
    interim_results: bool = True
    """Whether partials are sent, or finals only."""
    silence_seconds: float | None = None
    """Silence after speech that ends an utterance, 0.1 to 5 s."""
    utterance_seconds_max: float | None = None
    """The longest utterance, 5 to 25 s."""
    speech_threshold: float | None = None
    """The probability of speech above which audio counts as speech, 0.1 to 0.95."""
    freeze_stable: bool = False
    """Whether a stable word of a partial never changes in the final."""
    keep_recording: bool = False
    """Whether the audio is kept as an upload, which `SessionEnded` names, so that a job can transcribe it again."""
    resume_seconds: float = RESUME_SECONDS
    """How long a lost connection may take to be replaced, up to 45 s. 0: a lost connection is raised at once."""

    @property
    def frame_bytes(self) -> int | None:
        """Bytes of one sample of all channels. None for compressed encodings."""
        sample_bytes = _SAMPLE_BYTES.get(self.encoding)
        return None if sample_bytes is None else sample_bytes * max(self.channels, 1)

    def to_proto(self) -> StreamingConfig:
        """The message that opens a stream."""
        return StreamingConfig(
            format=AudioFormat(
                encoding=_ENCODINGS[self.encoding],
                sample_rate_hertz=self.sample_rate,
                channel_count=self.channels if self.encoding in _SAMPLE_BYTES else 0,
            ),
            recognition=self.recognition_config(),
            enable_interim_results=self.interim_results,
            endpointing=_endpointing(self.silence_seconds, self.utterance_seconds_max, self.speech_threshold),
            freeze_stable=self.freeze_stable,
            keep_recording=self.keep_recording,
            resume_window=duration_of(self.resume_seconds) if self.resume_seconds > 0 else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveUpdate:
    """A change to the configuration of an open session. None: no change."""

    hotwords: Sequence[str] | None = None
    replacements: Mapping[str, str] | None = None
    language: str | None = None
    silence_seconds: float | None = None
    utterance_seconds_max: float | None = None
    speech_threshold: float | None = None

    def over(self, earlier: "LiveUpdate") -> "LiveUpdate":
        """This update, with the endpointing of an earlier one where it has none: the service replaces it as a whole."""
        return LiveUpdate(
            hotwords=self.hotwords,
            replacements=self.replacements,
            language=self.language,
            silence_seconds=_first(self.silence_seconds, earlier.silence_seconds),
            utterance_seconds_max=_first(self.utterance_seconds_max, earlier.utterance_seconds_max),
            speech_threshold=_first(self.speech_threshold, earlier.speech_threshold),
        )

    def to_proto(self) -> UpdateConfig:
        """The update as a message."""
        replacements = self.replacements
        return UpdateConfig(
            hotwords=None if self.hotwords is None else Hotwords(phrases=self.hotwords),
            replacements=None if replacements is None else Replacements(pairs=replacement_messages(replacements)),
            endpointing=_endpointing(self.silence_seconds, self.utterance_seconds_max, self.speech_threshold),
            language_code=self.language,
        )


def _endpointing(
    silence_seconds: float | None, utterance_seconds_max: float | None, speech_threshold: float | None
) -> Endpointing | None:
    if silence_seconds is None and utterance_seconds_max is None and speech_threshold is None:
        return None
    return Endpointing(
        silence=None if silence_seconds is None else duration_of(silence_seconds),
        utterance_max=None if utterance_seconds_max is None else duration_of(utterance_seconds_max),
        speech_threshold=speech_threshold,
    )


def _first(value: float | None, otherwise: float | None) -> float | None:
    return otherwise if value is None else value
