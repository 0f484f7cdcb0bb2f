"""Where lines and cues are broken: by UAX #14, after punctuation marks first."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.unit.formats.speech import segment, spoken, word
from tiro_formats.cues import LINE_COLUMNS_MAX, cues_of
from tiro_formats.line_breaks import breakable

JAPANESE = "これは長い文章です。「、」や「。」が行頭に来てはいけません。ちょっとコーヒーを、という日々～。" * 3  # noqa: RUF001 - what it is
CHINESE = "他说：“你好！”《红楼梦》（第一回）共有１２０回，每回约５０００字。" * 5  # noqa: RUF001 - what it is
THAI = "ยินดีต้อนรับเข้าสู่การประชุมวันนี้เราจะพูดคุยเกี่ยวกับผลิตภัณฑ์ใหม่ของบริษัทและแผนงานในปีหน้า"
MAY_NOT_BEGIN = "」』）】〉》〕、。，．・：；？！ー～っゃゅょぁぃぅぇぉッャュョァィゥェォ々”’)"  # noqa: RUF001
MAY_NOT_END = "「『（【〈《〔“‘("  # noqa: RUF001


def lines_of(text: str, seconds: float = 30.0) -> list[str]:
    """The lines of a segment's cues."""
    return [line for cue in cues_of([segment(text, 0.0, seconds)]) for line in cue.lines]


@pytest.mark.parametrize("text", [JAPANESE, CHINESE])
def test_lines_of_east_asian_text_follow_its_rules(text: str) -> None:
    """No line begins with a closing mark, a small kana or a long-vowel mark, and none ends with an opening bracket."""
    lines = lines_of(text)
    assert len(lines) > 5
    assert not [line for line in lines if line[0] in MAY_NOT_BEGIN or line[-1] in MAY_NOT_END]
    assert "".join(lines) == text


def test_words_of_an_engine_do_not_change_the_rules() -> None:
    """A bracket that an engine took for a word is not at the wrong end of a line."""
    words = [word(character, index * 0.1, index * 0.1 + 0.1) for index, character in enumerate(JAPANESE)]
    cues = cues_of([segment(JAPANESE, 0.0, len(JAPANESE) / 10, words)])
    assert not [line for cue in cues for line in cue.lines if line[0] in MAY_NOT_BEGIN or line[-1] in MAY_NOT_END]
    assert "".join(line for cue in cues for line in cue.lines) == JAPANESE


def test_thai_is_broken_between_words() -> None:
    """A line of Thai ends where a word of the dictionary does."""
    words = breakable(THAI, 40)
    assert {"ประชุม", "ผลิตภัณฑ์", "บริษัท"} <= set(words)
    ends = {len("".join(words[:count])) for count in range(len(words) + 1)}
    lines = lines_of(THAI)
    assert len(lines) > 1
    assert {len("".join(lines[:count])) for count in range(len(lines) + 1)} <= ends


@pytest.mark.parametrize(
    "text", ["It costs 1,200,000.50 (3.5%)", "see www.example.com, please", "« Oui », dit-il : « Non ! »"]
)
def test_marks_stay_with_their_words(text: str) -> None:
    """Punctuation, brackets, amounts and addresses are not broken off, however narrow the line."""
    assert not [part for part in breakable(text, 20) if not any(map(str.isalnum, part))]
    assert "".join(breakable(text, 20)) == text


def test_a_word_that_is_too_wide_is_broken_within() -> None:
    """A word without a place to break is broken at the width, and graphemes stay whole."""
    assert breakable("e\u0301" * 5, 2) == ["e\u0301" * 2, "e\u0301" * 2, "e\u0301"]
    assert breakable("w" * 9, 4) == ["wwww", "wwww", "w"]


@given(st.text(max_size=80), st.integers(2, 30))
def test_parts_are_the_text(text: str, columns: int) -> None:
    """Parts of any text are the text, with one space for each run of white space, and are narrow enough."""
    parts = breakable(text, columns)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(part.strip() and cell_len(part.strip()) <= columns for part in parts)


def test_a_line_ends_with_a_sentence_or_a_clause() -> None:
    """Of the places where two lines are about even, one after a punctuation mark is taken."""
    (cue,) = cues_of([spoken("He wrote it all down. Then the people went home", word_seconds=0.3)])
    assert cue.lines == ("He wrote it all down.", "Then the people went home")
    (cue,) = cues_of([spoken("When it hears more, it may change its mind about it", word_seconds=0.3)])
    assert cue.lines == ("When it hears more,", "it may change its mind about it")


def test_a_cue_ends_with_a_sentence() -> None:
    """A segment that is too long for a cue is divided after a sentence, or a clause, in the later part of the cue."""
    said = (
        "The machine listens to a few seconds of sound, and then it writes. When it hears more, it may change its "
        "mind about the last word, as people do."
    )
    cues = cues_of([spoken(said, word_seconds=0.2)])
    assert [" ".join(cue.lines) for cue in cues] == [
        "The machine listens to a few seconds of sound, and then it writes.",
        "When it hears more, it may change its mind about the last word, as people do.",
    ]


def test_no_line_is_too_wide_beside_a_label() -> None:
    """The first line of each cue has room for the label of its channel."""
    said = spoken("one two three four five six seven eight nine ten eleven twelve " * 4, word_seconds=0.2)
    said.channel = 2
    cues = cues_of([said])
    assert {cue.label for cue in cues} == {"Channel 2"}
    assert all(cell_len(f"[Channel 2] {cue.lines[0]}") <= LINE_COLUMNS_MAX for cue in cues)
    assert " ".join(line for cue in cues for line in cue.lines).split() == said.text.split()
    assert all(before.end_ms <= after.start_ms for before, after in pairwise(cues))
