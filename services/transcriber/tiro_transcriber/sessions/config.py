"""The config of a live session: that of its record, with the changes of its client since."""

from tiro.events.v1.live_pb2 import LiveConfigUpdated, SessionRecord
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.streaming.v1 import streaming_pb2 as streaming
from tiro_core.routing.language_tags import normalized
from tiro_engines.interface import Endpointing, RecognitionOptions, SessionOptions
from tiro_transcriber.engine.conversion import recognition_options


class SessionConfig:
    """The config in use."""

    def __init__(self, record: SessionRecord, current: LiveConfigUpdated | None, languages: frozenset[str]) -> None:
        """Begin with the config that is in use.

        Args:
            record: The session.
            current: The last config that earlier owners have published. None: the record's.
            languages: The engine's languages.
        """
        self._record = record
        self._languages = languages
        self._recognition = RecognitionConfig()
        self._recognition.CopyFrom(current.recognition if current else record.recognition)
        # The earlier owner may have been another engine's worker.
        self._recognition.engine, self._recognition.model = record.recognition.engine, record.recognition.model
        self._endpointing = streaming.Endpointing()
        self._endpointing.CopyFrom(current.endpointing if current else record.endpointing)

    def changed(self, update: streaming.UpdateConfig) -> "SessionConfig":
        """The config after a change. A field that is absent keeps its value."""
        config = SessionConfig(self._record, self.event(0), self._languages)
        config._apply(update)
        return config

    def _apply(self, update: streaming.UpdateConfig) -> None:
        if update.HasField("hotwords"):
            del self._recognition.hotwords[:]
            self._recognition.hotwords.extend(update.hotwords.phrases)
        if update.HasField("replacements"):
            del self._recognition.replacements[:]
            self._recognition.replacements.extend(update.replacements.pairs)
        if update.HasField("endpointing"):
            self._endpointing.CopyFrom(update.endpointing)
        if update.HasField("language_code"):
            self._recognition.language_code = normalized(update.language_code)

    def event(self, sample: int) -> LiveConfigUpdated:
        """The event about the use of this config from a sample on."""
        return LiveConfigUpdated(sample=sample, recognition=self._recognition, endpointing=self._endpointing)

    @property
    def message(self) -> RecognitionConfig:
        """The recognition config as a message, for the stages."""
        return self._recognition

    @property
    def options(self) -> SessionOptions:
        """The options of the engine's session."""
        return SessionOptions(
            recognition=self.recognition,
            endpointing=self.endpointing,
            interim_results=self._record.enable_interim_results,
            freeze_stable=self._record.freeze_stable,
        )

    @property
    def recognition(self) -> RecognitionOptions:
        """The engine's options of recognition."""
        return recognition_options(self._recognition, self._languages)

    @property
    def endpointing(self) -> Endpointing:
        """The engine's options of endpointing."""
        asked, default = self._endpointing, Endpointing()
        return Endpointing(
            silence_ms=asked.silence.ToMilliseconds() or default.silence_ms,
            utterance_seconds_max=asked.utterance_max.ToMilliseconds() / 1000 or default.utterance_seconds_max,
            threshold=asked.speech_threshold if asked.HasField("speech_threshold") else default.threshold,
        )
