"""Whole words from the pieces of a decoder, and their times."""

from itertools import pairwise

import pytest
from amazon_transcribe.model import Alternative, Item, Result
from hypothesis import given
from hypothesis import strategies as st

from tiro_engines.amazon_transcribe.results import to_result
from tiro_engines.whole_words import WORD_SAMPLES_MIN, placed, whole_words, word_probability

PIECES = {
    "amount": [" $", "1", ",200", ",000"],
    "percent": [" 3", ".5", "%,"],
    "time": [" at", " 10", ".30", "am", ","],
    "address": [" www", ".", "example", ".com", "."],
    "mail": [" info", "@", "example", ".com"],
    "hyphen": [" well", "-", "known", " --", " yes"],
    "first piece without a space": ["3", ".5", " and"],
    "German": [" 1", ".", "200", ",", "50", " Euro", "."],
    "French": [" c", "'", "est", " 12", "\u202f450", " €", " ?"],
    "blank": [" ", "a", " ", "b", "  ", " c"],
}


@pytest.mark.parametrize("pieces", PIECES.values(), ids=PIECES)
def test_a_word_is_what_stands_between_spaces(pieces: list[str]) -> None:
    """Amounts, times, percentages and addresses are one word each."""
    words = ["".join(pieces[i] for i in word).strip() for word in whole_words(pieces, "en")]
    assert words == "".join(pieces).split()


@given(st.lists(st.text("ab ,.1", min_size=1, max_size=3), max_size=12))
def test_any_pieces_give_the_words_of_the_text(pieces: list[str]) -> None:
    """Where no piece has a space inside, the words are those of the text, and no piece is left out."""
    pieces = [piece for piece in pieces if len(piece.split()) < 2]
    groups = whole_words(pieces, "fr")
    if "".join(pieces).strip():
        assert [i for group in groups for i in group] == list(range(len(pieces)))
    assert ["".join(pieces[i] for i in group).strip() for group in groups] == "".join(pieces).split()


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        (["価", "格", "は", "3", ".", "5", "%", "です", "。"], ["価", "格", "は", "3.5%", "です。"]),
        (["我", "用", "i", "Phone", "和", " www", ".", "a", ".cn"], ["我", "用", "iPhone", "和", "www.a.cn"]),
        (["彼", "は", "「", "はい", "」", "と"], ["彼", "は", "「はい」", "と"]),
    ],
)
def test_pieces_stay_apart_in_languages_without_spaces(pieces: list[str], words: list[str]) -> None:
    """A piece is a word there. Punctuation joins the word beside it, Western digits and letters each other."""
    for language in ("zh", "ja", "yue"):
        assert ["".join(pieces[i] for i in word).strip() for word in whole_words(pieces, language)] == words


def test_a_border_begins_a_word() -> None:
    """What is final or frozen is not continued by the piece after it."""
    assert whole_words([" 1", ",200", ",000"], "en", borders={2}) == [range(2), range(2, 3)]


def test_punctuation_does_not_count_for_the_probability_of_a_word() -> None:
    """The probability is the mean over letters and digits."""
    assert word_probability([" 1", ",200", "."], [0.8, 0.4, 0.0]) == pytest.approx((0.8 + 3 * 0.4) / 4)
    assert word_probability([" -", "-"], [0.3, 0.9]) == 0.3


@given(
    spans=st.lists(st.tuples(st.integers(-50, 20_000), st.integers(-50, 20_000)), max_size=20),
    length=st.integers(20, 12_000),
)
def test_no_word_is_without_length(spans: list[tuple[int, int]], length: int) -> None:
    """Any times become times in order, inside the window, and of a shortest length where the window has room."""
    found = placed(spans, 1_000, 1_000 + length)
    shortest = min(WORD_SAMPLES_MIN, length // max(1, len(spans)))
    assert len(found) == len(spans)
    assert all(start >= 1_000 and end <= 1_000 + length and end - start >= shortest > 0 for start, end in found)
    assert all(before[1] <= after[0] for before, after in pairwise(found))


def test_times_that_are_right_stay() -> None:
    """Words of a plausible length are not moved."""
    spans = [(100, 900), (900, 4_000), (5_000, 5_000 + WORD_SAMPLES_MIN)]
    assert placed(spans, 0, 8_000) == spans


def amazon_item(content: str, start: float, end: float, kind: str = "pronunciation", *, stable: bool = True) -> Item:
    """An item of Amazon Transcribe."""
    return Item(start_time=start, end_time=end, item_type=kind, content=content, stable=stable)


def test_items_of_a_service_that_the_text_joins_are_one_word() -> None:
    """The items are joined as the service's text has them. In a partial the last word may still grow."""
    items = [
        amazon_item("www", 0.0, 0.4),
        amazon_item(".example", 0.4, 0.9),
        amazon_item(".com", 0.9, 0.9),
        amazon_item(",", 0.9, 0.9, "punctuation"),
        amazon_item("10", 1.0, 1.0),
    ]
    for is_partial in (False, True):
        alternative = Alternative(transcript="www.example.com, 10", items=items, entities=[])
        result = Result(result_id="r", is_partial=is_partial, alternatives=[alternative])
        words = [item.word for item in to_result(result, 160, "en").words]
        assert [word.text for word in words] == ["www.example.com,", "10"]
        assert [(word.start, word.end) for word in words] == [(160, 14_560), (16_160, 16_160 + WORD_SAMPLES_MIN)]
        assert [word.stable for word in words] == [True, not is_partial]
