"""Transcripts to render."""

from collections.abc import Callable, Sequence

import pytest

from tiro_client.transcript import Segment, Transcript, TranscriptInfo, TranscriptWarning, Word

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


@pytest.fixture
def spoken() -> Callable[..., Segment]:
    """Makes a segment of words that take `word_seconds` each, without pauses."""

    def make(text: str, start_seconds: float = 0.0, word_seconds: float = 0.4) -> Segment:
        words = []
        for index, word in enumerate(text.split()):
            begin = start_seconds + index * word_seconds
            words.append(Word(word, begin, begin + word_seconds))
        return Segment(text, start_seconds, words[-1].end_seconds, tuple(words), "en")

    return make
