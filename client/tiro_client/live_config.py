"""How a live stream is transcribed."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from tiro.speech.v1.audio_pb2 import AudioEncoding as EncodingMessage
from tiro.speech.v1.audio_pb2 import AudioFormat
from tiro.streaming.v1.streaming_pb2 import Endpointing, StreamingConfig
from tiro_client.recognition import recognition_config
from tiro_client.timing import duration_of


class AudioEncoding(enum.StrEnum):
    """How live audio is encoded. Always one channel."""

    LINEAR16 = "linear16"
    """16-bit signed little-endian samples without a header."""
    MULAW = "mulaw"
    """8-bit G.711 mu-law samples without a header."""
    FLAC = "flac"
    """A FLAC stream, beginning with its header."""
    OGG_OPUS = "ogg_opus"
    """Opus in an Ogg stream, beginning with its header pages."""


_ENCODINGS = {
    AudioEncoding.LINEAR16: EncodingMessage.AUDIO_ENCODING_LINEAR16,
    AudioEncoding.MULAW: EncodingMessage.AUDIO_ENCODING_MULAW,
    AudioEncoding.FLAC: EncodingMessage.AUDIO_ENCODING_FLAC,
    AudioEncoding.OGG_OPUS: EncodingMessage.AUDIO_ENCODING_OGG_OPUS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveConfig:
    """How a live stream is transcribed. What is left empty or None is the deployment's choice."""

    encoding: AudioEncoding = AudioEncoding.LINEAR16
    sample_rate: int = 0
    """Samples a second, 8000 to 48000. Needed for LINEAR16 and MULAW; the others say it in their header."""
    engine: str = ""
    model: str = ""
    language: str = ""
    """ISO 639 code. Empty detects it, where the model can."""
    hotwords: Sequence[str] = ()
    word_timestamps: bool = True
    interim_results: bool = True
    """Whether partials are wanted, or finals only."""
    silence_seconds: float | None = None
    """Silence after speech that ends an utterance, 0.1 to 5."""
    utterance_seconds_max: float | None = None
    """The longest utterance, 5 to 25."""
    speech_threshold: float | None = None
    """The speech probability above which sound counts as speech, 0.1 to 0.95."""

    def to_proto(self) -> StreamingConfig:
        """The message that opens a stream so configured."""
        return StreamingConfig(
            format=AudioFormat(encoding=_ENCODINGS[self.encoding], sample_rate_hertz=self.sample_rate),
            recognition=recognition_config(
                engine=self.engine,
                model=self.model,
                language=self.language,
                hotwords=self.hotwords,
                word_timestamps=self.word_timestamps,
            ),
            enable_interim_results=self.interim_results,
            endpointing=self._endpointing(),
        )

    def _endpointing(self) -> Endpointing:
        endpointing = Endpointing()
        if self.silence_seconds is not None:
            endpointing.silence.CopyFrom(duration_of(self.silence_seconds))
        if self.utterance_seconds_max is not None:
            endpointing.utterance_max.CopyFrom(duration_of(self.utterance_seconds_max))
        if self.speech_threshold is not None:
            endpointing.speech_threshold = self.speech_threshold
        return endpointing
