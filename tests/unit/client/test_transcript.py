"""The client's transcripts from messages of the contract."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict

from tiro.speech.v1 import transcript_pb2
from tiro_client.transcript import Segment, Transcript, TranscriptInfo, TranscriptWarning, Word

NEWER_REASON = 99
"""A reason that this client does not know."""


def test_all_fields_are_converted() -> None:
    """Times become seconds. A warning has its reason's name, or its number if this client does not know it."""
    word = transcript_pb2.Word(text="días", start_offset=Duration(nanos=125_000_000), confidence=0.75)
    segment = transcript_pb2.Segment(text="días", end_offset=Duration(seconds=1), words=[word], language_code="es")
    message = transcript_pb2.Transcript(
        engine="fake",
        model="words",
        model_digest="sha256:00",
        language_code="es",
        language_confidence=0.5,
        audio_duration=Duration(seconds=12, nanos=500_000_000),
        segment_count=1,
    )
    message.warnings.add(reason=transcript_pb2.WARNING_REASON_DAMAGED_AUDIO, message="2 packets were skipped")
    message.warnings.append(ParseDict({"reason": NEWER_REASON, "message": "new"}, transcript_pb2.Warning()))
    warnings = (TranscriptWarning("DAMAGED_AUDIO", "2 packets were skipped"), TranscriptWarning("99", "new"))
    assert Transcript.from_proto(message, [segment]) == Transcript(
        segments=(Segment("días", 0.0, 1.0, (Word("días", 0.125, 0.0, 0.75, stable=False),), "es"),),
        info=TranscriptInfo("fake", "words", "sha256:00", "es", 0.5, 12.5, 1, warnings),
    )


def test_missing_confidences_are_none() -> None:
    """A language that the caller set has no confidence, and a word may have none."""
    transcript = Transcript.from_proto(
        transcript_pb2.Transcript(), [transcript_pb2.Segment(words=[transcript_pb2.Word()])]
    )
    assert transcript.info.language_confidence is None
    assert transcript.segments[0].words[0].confidence is None
