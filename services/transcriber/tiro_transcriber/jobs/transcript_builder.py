"""What is known of a transcript besides its segments, put together as its windows or parts come."""

from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.speech.v1.transcript_pb2 import (
    WARNING_REASON_DAMAGED_AUDIO,
    WARNING_REASON_ENGINE,
    WARNING_REASON_NO_SPEECH,
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
from tiro_transcriber.engine.conversion import dropped_to_proto, shift
from tiro_transcriber.jobs.audio_range import Decoded


class TranscriptBuilder:
    """What the windows have told so far."""

    def __init__(self, config: RecognitionConfig, options: TranscriptionOptions) -> None:
        self._config = config
        self._multilingual = options.multilingual
        self._by_channel = options.separate_channels  # cut at pauses, which only words know
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
        """How to recognize the next window: in the language asked for, or else in the one first heard.

        Where the language changes it is detected anew each time.
        """
        heard = self._language.code if self._language and not self._multilingual else None
        return RecognitionOptions(
            language=self._config.language_code or heard,
            hotwords=tuple(self._config.hotwords),
            word_timestamps=self._config.enable_word_time_offsets or self._by_channel,
            decoding=self._decoding,
            region=self._config.region,
        )

    def add(self, result: WindowResult) -> None:
        """Take in what a window gave besides its segments."""
        self._language = self._language or result.language
        self._warnings += [Warning(reason=WARNING_REASON_ENGINE, message=text) for text in result.warnings]
        self._warnings += [dropped_to_proto(dropped) for dropped in result.dropped]

    def add_part(self, part: Transcript, offset: int) -> None:
        """Take in what a part that was transcribed elsewhere gave besides its segments.

        Args:
            part: What is known of its transcript.
            offset: Where it begins in the recording, in samples.
        """
        if self._language is None and part.language_code and not self._config.language_code:
            self._language = DetectedLanguage(part.language_code, part.language_confidence)
        for warning in part.warnings:
            if warning.reason == WARNING_REASON_TEXT_DROPPED:
                shift(warning, offset)
            if warning.reason in (WARNING_REASON_ENGINE, WARNING_REASON_TEXT_DROPPED):
                self._warnings.append(warning)

    def transcript(self, model: ModelInfo, audio: Decoded, segment_count: int) -> Transcript:
        """The whole."""
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
