"""The split of segments at pauses."""

from tiro_engines.interface import SAMPLE_RATE, Segment, Word
from tiro_transcriber.jobs.turns import turns


def word(text: str, start: float) -> Word:
    """A word of 0.3 s."""
    return Word(text, int(start * SAMPLE_RATE), int((start + 0.3) * SAMPLE_RATE), 0.9)


def segment(text: str, *words: Word) -> Segment:
    """A segment from its first word to its last."""
    return Segment(text, words[0].start if words else 0, words[-1].end if words else SAMPLE_RATE, words, "en")


def test_a_pause_ends_a_turn() -> None:
    """A segment is split at a long pause. Each turn has its text, words and times."""
    whole = segment(
        "Good day. How are you?", word("Good", 0), word("day.", 0.5), word("How", 4), word("are", 4.4), word("you?", 5)
    )
    first, second = turns(whole)
    assert (first.text, second.text) == ("Good day.", "How are you?")
    assert (first.end, second.start, second.end) == (whole.words[1].end, whole.words[2].start, whole.end)
    assert second.words == whole.words[2:]
    assert second.language == "en"


def test_text_without_spaces_is_not_changed() -> None:
    """The text of a turn is a part of the segment's text, not its words joined by spaces."""
    whole = segment("你好吗很好", word("你好", 0), word("吗", 0.3), word("很好", 5))
    assert [turn.text for turn in turns(whole)] == ["你好吗", "很好"]


def test_a_segment_that_cannot_be_split_stays_whole() -> None:
    """A segment without words, or with words that differ from its text, is not split."""
    silent = segment("No words.")
    assert turns(silent) == [silent]
    other = segment("Some text.", word("Other", 0), word("words.", 5))
    assert turns(other) == [other]
