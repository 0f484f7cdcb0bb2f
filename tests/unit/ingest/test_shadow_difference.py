"""The difference of two transcripts."""

import pytest

from tiro.speech.v1.transcript_pb2 import Segment
from tiro_ingest.shadows.difference import Difference, difference, words_of


@pytest.mark.parametrize(
    ("text", "shadow", "found"),
    [
        ("Long ago, in Rome.", "long ago in rome", Difference(4, 4, 0)),
        ("Long ago in Rome", "long ago in room", Difference(4, 4, 1)),
        ("Long ago in Rome", "so long ago in", Difference(4, 4, 2)),
        ("it's the secretary's", "its the secretary's", Difference(3, 3, 1)),
        ("Señor Müller", "señor müller", Difference(2, 2, 0)),
        ("", "something", Difference(0, 1, 1)),
    ],
)
def test_words_are_compared(text: str, shadow: str, found: Difference) -> None:
    """Each inserted, omitted or replaced word counts once. Case and punctuation do not count."""
    assert difference(words_of([Segment(text=text)]), words_of([Segment(text=shadow)])) == found


def test_boundaries_of_segments_make_no_difference() -> None:
    """Words are compared over the whole transcript."""
    assert words_of([Segment(text="Long ago"), Segment(text="in Rome.")]) == words_of(
        [Segment(text="long ago in Rome")]
    )
