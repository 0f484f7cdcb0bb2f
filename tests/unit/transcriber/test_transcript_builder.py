"""The transcript message: its language and warnings."""

from tiro.speech.v1 import transcript_pb2
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.speech.v1.transcript_pb2 import (
    WARNING_REASON_ENGINE,
    WARNING_REASON_HOTWORDS_OMITTED,
    WARNING_REASON_NO_SPEECH,
    WARNING_REASON_PROMPT_TRUNCATED,
    WARNING_REASON_STAGE_FAILED,
    WARNING_REASON_TEXT_DROPPED,
    WARNING_REASON_TIMESTAMPS,
    WARNING_REASON_TRUNCATED_AUDIO,
    Transcript,
)
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.audio.report import DecodeReport
from tiro_core.clock import duration
from tiro_engines.interface import SAMPLE_RATE, DetectedLanguage, DroppedText, EngineWarning, ModelInfo, WindowResult
from tiro_transcriber.engine.conversion import dropped_to_proto
from tiro_transcriber.jobs.audio_range import DecodeOutcome
from tiro_transcriber.jobs.transcript_builder import TranscriptBuilder
from tiro_transcriber.pipeline.failures import StageFailure

LANGUAGES = frozenset({"de", "en", "es"})
MODEL = ModelInfo("none", "none", "sha256:0")


def builder(language: str = "", *, multilingual: bool = False) -> TranscriptBuilder:
    """A builder without results."""
    return TranscriptBuilder(RecognitionConfig(language_code=language), TranscriptionOptions(multilingual=multilingual))


def test_the_first_language_detected_is_kept() -> None:
    """Later windows use the first detected language. A multilingual job detects it for each window."""
    detected = WindowResult(DetectedLanguage("es", 0.9))
    one, several = builder(), builder(multilingual=True)
    for kind in (one, several):
        assert kind.options(LANGUAGES).language is None
        kind.add(detected)
    assert (one.options(LANGUAGES).language, several.options(LANGUAGES).language) == ("es", None)
    assert builder("de").options(LANGUAGES).language == "de"


def test_warnings_of_a_part_are_those_of_the_whole() -> None:
    """Warnings of a part get times of the whole recording. A warning without times stays so."""
    dropped = DroppedText("Thanks for watching!", SAMPLE_RATE, 3 * SAMPLE_RATE, "no speech probability 0.90")
    failure = StageFailure("replacements", "it failed", 2 * SAMPLE_RATE, 4 * SAMPLE_RATE)
    part = Transcript(
        language_code="en",
        language_confidence=0.8,
        warnings=[
            transcript_pb2.Warning(reason=WARNING_REASON_ENGINE, message="something about all of it"),
            dropped_to_proto(dropped),
            failure.warning(),
        ],
    )
    whole = builder()
    whole.add_part(part, offset=60 * SAMPLE_RATE)
    transcript = whole.transcript(MODEL, DecodeOutcome(70.0, None), segment_count=1)
    engine, left_out, stage = transcript.warnings
    assert (engine.reason, engine.HasField("start_offset")) == (WARNING_REASON_ENGINE, False)
    assert left_out.reason == WARNING_REASON_TEXT_DROPPED
    assert "Thanks for watching!" in left_out.message
    assert (left_out.start_offset.seconds, left_out.end_offset.seconds) == (61, 63)
    assert stage.reason == WARNING_REASON_STAGE_FAILED
    assert (stage.start_offset.seconds, stage.end_offset.seconds) == (62, 64)
    assert (transcript.language_code, round(transcript.language_confidence, 2)) == ("en", 0.8)


def test_a_warning_about_the_options_is_told_once() -> None:
    """Windows and parts repeat the warnings about hotwords and prompt; the transcript has each once."""
    omitted = EngineWarning(WARNING_REASON_HOTWORDS_OMITTED, "no room for the hotwords Tiro")
    cut = EngineWarning(WARNING_REASON_PROMPT_TRUNCATED, "only its end is used")
    part = builder()
    for warnings in ((omitted,), (omitted, cut)):
        part.add(WindowResult(None, warnings))
    whole = builder()
    for offset in (0, 60 * SAMPLE_RATE):
        whole.add_part(part.transcript(MODEL, DecodeOutcome(60.0, None), segment_count=1), offset)
    transcript = whole.transcript(MODEL, DecodeOutcome(120.0, None), segment_count=2)
    assert [(warning.reason, warning.message) for warning in transcript.warnings] == [
        (omitted.reason, omitted.message),
        (cut.reason, cut.message),
    ]


def test_a_silent_part_does_not_make_the_whole_silent() -> None:
    """NO_SPEECH of one part is not a warning of the whole transcript."""
    silent = Transcript(
        warnings=[transcript_pb2.Warning(reason=WARNING_REASON_NO_SPEECH, message="no speech was found")]
    )
    whole = builder()
    whole.add_part(silent, offset=0)
    assert not whole.transcript(MODEL, DecodeOutcome(10.0, None), segment_count=1).warnings
    nothing = whole.transcript(MODEL, DecodeOutcome(10.0, None), segment_count=0)
    assert [warning.reason for warning in nothing.warnings] == [WARNING_REASON_NO_SPEECH]
    assert nothing.audio_duration == duration(10.0)


def test_what_the_decoder_reports_becomes_warnings() -> None:
    """Sound that is missing at the end, and timestamps that go back, each have a warning of their own."""
    report = DecodeReport(
        samples=16_000,
        damaged_packets=0,
        decoded_duration_seconds=1.0,
        container_duration_seconds=6.0,
        clock_restarts=2,
    )
    truncated, timestamps = builder().transcript(MODEL, DecodeOutcome(1.0, report), segment_count=1).warnings
    assert truncated.reason == WARNING_REASON_TRUNCATED_AUDIO
    assert "5.0 s" in truncated.message
    assert timestamps.reason == WARNING_REASON_TIMESTAMPS
    assert "2 times" in timestamps.message
