"""Building the description of a transcript, without its segments, from the results of its windows or parts."""

from dataclasses import replace

from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.speech.v1.transcript_pb2 import (
    WARNING_REASON_ENGINE,
    WARNING_REASON_HOTWORDS_OMITTED,
    WARNING_REASON_NO_SPEECH,
    WARNING_REASON_PROMPT_TRUNCATED,
    WARNING_REASON_STAGE_FAILED,
    WARNING_REASON_TEXT_DROPPED,
    Transcript,
    Warning,  # noqa: A004 - the contract's word
)
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.clock import duration
from tiro_engines.interface import (
    DecodingOptions,
    DetectedLanguage,
    ModelInfo,
    RecognitionOptions,
    WindowResult,
)
from tiro_transcriber.engine.conversion import recognition_options, shift, tag_of, warning_to_proto
from tiro_transcriber.jobs.audio_range import DecodeOutcome
from tiro_transcriber.jobs.audio_warnings import audio_warnings

_OF_A_PART = frozenset(
    {
        WARNING_REASON_ENGINE,
        WARNING_REASON_TEXT_DROPPED,
        WARNING_REASON_STAGE_FAILED,
        WARNING_REASON_HOTWORDS_OMITTED,
        WARNING_REASON_PROMPT_TRUNCATED,
    }
)
"""The warnings of a part that apply to the whole recording as well."""


class TranscriptBuilder:
    """Builds a `Transcript`."""

    def __init__(self, config: RecognitionConfig, options: TranscriptionOptions) -> None:
        self._config = config
        self._multilingual = options.multilingual
        self._by_channel = options.separate_channels  # these segments are split at pauses, which needs their words
        self._decoding = DecodingOptions(
            initial_prompt=options.initial_prompt,
            temperature=options.temperature if options.HasField("temperature") else None,
            beam_size=options.beam_size,
            filter_silence=not options.disable_voice_activity_filter,
            translate=options.translate_to_english,
        )
        self._language: DetectedLanguage | None = None
        self._warnings: list[Warning] = []

    def options(self, languages: frozenset[str]) -> RecognitionOptions:
        """The options for the next window, with the requested language, or else the first one that was detected.

        Where the language may change, it is detected for each window.

        Args:
            languages: The engine's languages.
        """
        detected = self._language.code if self._language and not self._multilingual else None
        asked = recognition_options(self._config, languages)
        return replace(
            asked,
            language=asked.language or detected,
            word_timestamps=asked.word_timestamps or self._by_channel,
            decoding=self._decoding,
        )

    def add(self, result: WindowResult) -> None:
        """Add the result of a window. The writer gets its dropped texts."""
        self._language = self._language or result.language
        for warning in result.warnings:
            self._warn(warning_to_proto(warning))

    def add_part(self, part: Transcript, offset: int) -> None:
        """Add the description of a part's transcript.

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
            self._warn(warning)

    def _warn(self, warning: Warning) -> None:
        """Add a warning. Windows and parts repeat those about the options."""
        if warning not in self._warnings:
            self._warnings.append(warning)

    def transcript(self, model: ModelInfo, audio: DecodeOutcome, segment_count: int) -> Transcript:
        """The description of the whole transcript.

        Args:
            model: The model that made it.
            audio: The outcome of decoding its audio.
            segment_count: The number of its segments.
        """
        transcript = Transcript(
            engine=model.engine,
            model=model.model,
            model_digest=model.digest,
            language_code=self._config.language_code,
            audio_duration=duration(audio.seconds),
            segment_count=segment_count,
            warnings=[*self._warnings, *audio_warnings(audio.report)],
        )
        if not self._config.language_code and self._language:
            transcript.language_code = tag_of(self._config, self._language.code)
            transcript.language_confidence = self._language.probability
        if not segment_count:
            transcript.warnings.append(Warning(reason=WARNING_REASON_NO_SPEECH, message="no speech was found"))
        return transcript
