"""What is known of a transcript besides its segments."""

from tiro.speech.v1 import transcript_pb2
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.speech.v1.transcript_pb2 import WARNING_REASON_NO_SPEECH, WARNING_REASON_TEXT_DROPPED, Transcript
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.clock import duration
from tiro_engines.interface import SAMPLE_RATE, DetectedLanguage, DroppedText, ModelInfo, WindowResult
from tiro_transcriber.jobs.audio_range import Decoded
from tiro_transcriber.jobs.transcript_builder import TranscriptBuilder

MODEL = ModelInfo("none", "none", "sha256:0")


def summary(language: str = "", *, multilingual: bool = False) -> TranscriptBuilder:
    """A summary that has heard nothing yet."""
    return TranscriptBuilder(RecognitionConfig(language_code=language), TranscriptionOptions(multilingual=multilingual))


def test_the_language_first_heard_is_kept() -> None:
    """Windows that follow are recognized in it; where the language changes it is detected anew each time."""
    heard = WindowResult(DetectedLanguage("es", 0.9))
    one, several = summary(), summary(multilingual=True)
    for kind in (one, several):
        assert kind.options().language is None
        kind.add(heard)
    assert (one.options().language, several.options().language) == ("es", None)
    assert summary("de").options().language == "de"


def test_text_that_was_dropped_is_told_where_it_was() -> None:
    """In a part of a recording it is told at its place in the whole."""
    dropped = DroppedText("Thanks for watching!", SAMPLE_RATE, 3 * SAMPLE_RATE, "no speech probability 0.90")
    part = summary()
    part.add(WindowResult(DetectedLanguage("en", 0.8), dropped=(dropped,)))
    told = part.transcript(MODEL, Decoded(10.0, None), segment_count=1)
    whole = summary()
    whole.add_part(told, offset=60 * SAMPLE_RATE)
    transcript = whole.transcript(MODEL, Decoded(70.0, None), segment_count=1)
    (warning,) = transcript.warnings
    assert warning.reason == WARNING_REASON_TEXT_DROPPED
    assert "Thanks for watching!" in warning.message
    assert (warning.start_offset.seconds, warning.end_offset.seconds) == (61, 63)
    assert (transcript.language_code, round(transcript.language_confidence, 2)) == ("en", 0.8)


def test_a_silent_part_does_not_make_the_whole_silent() -> None:
    """What is true of a part alone is not told of the whole."""
    silent = Transcript(
        warnings=[transcript_pb2.Warning(reason=WARNING_REASON_NO_SPEECH, message="no speech was found")]
    )
    whole = summary()
    whole.add_part(silent, offset=0)
    assert not whole.transcript(MODEL, Decoded(10.0, None), segment_count=1).warnings
    nothing = whole.transcript(MODEL, Decoded(10.0, None), segment_count=0)
    assert [warning.reason for warning in nothing.warnings] == [WARNING_REASON_NO_SPEECH]
    assert nothing.audio_duration == duration(10.0)
