"""Transcripts to render."""

from collections.abc import Callable, Sequence

import pytest

from tiro_client.transcript import Segment, Transcript, TranscriptInfo, TranscriptWarning

MakeTranscript = Callable[[Sequence[Segment]], Transcript]


@pytest.fixture
def transcript_of() -> MakeTranscript:
    """Makes a transcript of segments."""

    def make(segments: Sequence[Segment]) -> Transcript:
        info = TranscriptInfo(
            engine="fake",
            model="words",
            model_digest="sha256:00",
            language="en",
            language_confidence=0.9800000190734863,
            audio_seconds=12.3456,
            segment_count=len(segments),
            warnings=(TranscriptWarning("DAMAGED_AUDIO", "2 packets were stepped over"),),
        )
        return Transcript(tuple(segments), info)

    return make
