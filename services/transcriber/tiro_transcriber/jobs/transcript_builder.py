"""The description of a transcript, besides its segments: put together from its windows or its parts."""

from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.speech.v1.transcript_pb2 import (
    WARNING_REASON_DAMAGED_AUDIO,
    WARNING_REASON_ENGINE,
    WARNING_REASON_NO_SPEECH,
    WARNING_REASON_STAGE_FAILED,
    WARNING_REASON_TEXT_DROPPED,
    WARNING_REASON_TRUNCATED_AUDIO,
    Transcript,
    Warning,  # noqa: A004 - the contract's word
)
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.audio.report import DecodeReport
from tiro_core.clock import duration
from tiro_engines.interface import (
    DecodingOptions,
    DetectedLanguage,
    ModelInfo,
    RecognitionOptions,
    WindowResult,
)
from tiro_transcriber.engine.conversion import shift
from tiro_transcriber.jobs.audio_range import DecodeOutcome

_OF_A_PART = frozenset({WARNING_REASON_ENGINE, WARNING_REASON_TEXT_DROPPED, WARNING_REASON_STAGE_FAILED})
"""The warnings of a part that are also the whole recording's."""


class TranscriptBuilder:
    """Builds a `Transcript`."""

    def __init__(self, config: RecognitionConfig, options: TranscriptionOptions) -> None:
        self._config = config
        self._multilingual = options.multilingual
        self._by_channel = options.separate_channels  # split at pauses, which only words show
        self._decoding = DecodingOptions(
            initial_prompt=options.initial_prompt,
            temperature=options.temperature if options.HasField("temperature") else None,
            beam_size=options.beam_size,
            filter_silence=not options.disable_voice_activity_filter,
            translate=options.translate_to_english,
        )
        self._language: DetectedLanguage | None = None
        self._warnings: list[Warning] = []

    def options(self) -> RecognitionOptions:
        """How to recognize the next window: in the language asked for, or else in the first one that was detected.

        Where the language changes it is detected anew for each window.
        """
        detected = self._language.code if self._language and not self._multilingual else None
        return RecognitionOptions(
            language=self._config.language_code or detected,
            hotwords=tuple(self._config.hotwords),
            word_timestamps=self._config.enable_word_time_offsets or self._by_channel,
            decoding=self._decoding,
            region=self._config.region,
        )

    def add(self, result: WindowResult) -> None:
        """Add the result of a window. The texts that it has dropped are the writer's."""
        self._language = self._language or result.language
        self._warnings += [Warning(reason=WARNING_REASON_ENGINE, message=text) for text in result.warnings]

    def add_part(self, part: Transcript, offset: int) -> None:
        """Add the description of a part that was transcribed on its own.

        Args:
            part: The description of its transcript.
            offset: The position of its first sample in the recording.
        """
        if self._language is None and part.language_code and not self._config.language_code:
            self._language = DetectedLanguage(part.language_code, part.language_confidence)
        for warning in part.warnings:
            if warning.reason not in _OF_A_PART:
                continue
            if warning.HasField("start_offset"):
                shift(warning, offset)
            self._warnings.append(warning)

    def transcript(self, model: ModelInfo, audio: DecodeOutcome, segment_count: int) -> Transcript:
        """The description of the whole transcript.

        Args:
            model: The model that made it.
            audio: What was decoded for it.
            segment_count: How many segments it has.
        """
        transcript = Transcript(
            engine=model.engine,
            model=model.model,
            model_digest=model.digest,
            language_code=self._config.language_code,
            audio_duration=duration(audio.seconds),
            segment_count=segment_count,
            warnings=[*self._warnings, *_audio_warnings(audio.report)],
        )
        if not self._config.language_code and self._language:
            transcript.language_code = self._language.code
            transcript.language_confidence = self._language.probability
        if not segment_count:
            transcript.warnings.append(Warning(reason=WARNING_REASON_NO_SPEECH, message="no speech was found"))
        return transcript


def _audio_warnings(report: DecodeReport | None) -> list[Warning]:
    warnings: list[Warning] = []
    if report is None:
        return warnings
    if report.damaged_packets:
        text = f"{report.damaged_packets} damaged packets were stepped over"
        warnings.append(Warning(reason=WARNING_REASON_DAMAGED_AUDIO, message=text))
    if report.truncated:
        text = f"{report.missing_seconds:.1f} s of the announced audio are not there"
        warnings.append(Warning(reason=WARNING_REASON_TRUNCATED_AUDIO, message=text))
    return warnings
