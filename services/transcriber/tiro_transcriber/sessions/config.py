"""How a live session is recognized: from what its record says, and what its caller changes under way."""

from tiro.events.v1.live_pb2 import LiveConfigUpdated, SessionRecord
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.streaming.v1 import streaming_pb2 as streaming
from tiro_engines.interface import Endpointing, RecognitionOptions, SessionOptions


class SessionConfig:
    """The config in use."""

    def __init__(self, record: SessionRecord, told: LiveConfigUpdated | None) -> None:
        """`told` is what an owner before has told of it last, in place of the record's."""
        self._record = record
        self._recognition = RecognitionConfig()
        self._recognition.CopyFrom(told.recognition if told else record.recognition)
        # What was told may have been told by another engine's worker.
        self._recognition.engine, self._recognition.model = record.recognition.engine, record.recognition.model
        self._endpointing = streaming.Endpointing()
        self._endpointing.CopyFrom(told.endpointing if told else record.endpointing)

    def change(self, update: streaming.UpdateConfig) -> None:
        """Take a change."""
        if update.HasField("hotwords"):
            del self._recognition.hotwords[:]
            self._recognition.hotwords.extend(update.hotwords.phrases)
        if update.HasField("endpointing"):
            self._endpointing.CopyFrom(update.endpointing)
        if update.HasField("language_code"):
            self._recognition.language_code = update.language_code

    def told(self, sample: int) -> LiveConfigUpdated:
        """What the caller is told of it."""
        return LiveConfigUpdated(sample=sample, recognition=self._recognition, endpointing=self._endpointing)

    @property
    def options(self) -> SessionOptions:
        """What the engine is told."""
        return SessionOptions(
            recognition=self.recognition,
            endpointing=self.endpointing,
            interim_results=self._record.enable_interim_results,
            freeze_stable=self._record.freeze_stable,
        )

    @property
    def recognition(self) -> RecognitionOptions:
        """The part of it that says what to recognize."""
        return RecognitionOptions(
            language=self._recognition.language_code or None,
            hotwords=tuple(self._recognition.hotwords),
            word_timestamps=self._recognition.enable_word_time_offsets,
            region=self._recognition.region,
        )

    @property
    def endpointing(self) -> Endpointing:
        """The part of it that says when an utterance ends."""
        asked, default = self._endpointing, Endpointing()
        return Endpointing(
            silence_ms=asked.silence.ToMilliseconds() or default.silence_ms,
            utterance_seconds_max=asked.utterance_max.ToMilliseconds() / 1000 or default.utterance_seconds_max,
            threshold=asked.speech_threshold if asked.HasField("speech_threshold") else default.threshold,
        )
