"""The search of phrases in a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiro_transcriber.pipeline.replacements.phrases import Phrases


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """The text with all found phrases replaced."""
    pieces, position = [], 0
    for match in Phrases(pairs).find(text).matches:
        pieces += [text[position : match.start], match.replacement]
        position = match.end
    return "".join([*pieces, text[position:]])


@pytest.mark.parametrize(
    ("text", "pairs", "expected"),
    [
        ("Teh cat and the weather.", [("teh", "the"), ("the", "THE")], "the cat and THE weather."),
        ("(New York), new york? NEW YORK!", [("new york", "NYC")], "(NYC), NYC? NYC!"),
        ("new   york\tnew york", [("new york", "NYC")], "NYC\tNYC"),
        ("new, york new-york new york's", [("new york", "NYC")], "new, york new-york new york's"),
        ("wi-fi wi fi wifi", [("wi-fi", "Wi-Fi"), ("wifi", "Wi-Fi")], "Wi-Fi wi fi Wi-Fi"),
        ("in new york city or new york", [("new york", "NYC"), ("new york city", "the city")], "in the city or NYC"),
        ("new york cat", [("new york city", "the city"), ("york cat", "pet")], "new pet"),
        ("a b", [("a", "b"), ("b", "c")], "b c"),
        ("a a a", [("a a", "a")], "a a"),
        ("I said x.", [("x", "first"), ("X", "second")], "I said second."),
        ("c plus plus is C++.", [("c plus plus", "C++"), ("c++", "Cpp")], "C++ is Cpp."),
        ("the AT&T at & t", [("at&t", "AT&T Inc.")], "the AT&T Inc. AT&T Inc."),
        ("it's its", [("its", "ITS")], "it's ITS"),
        ("STRASSE Straße", [("straße", "Str.")], "Str. Str."),
        ("cafe\u0301 café", [("café", "bar")], "bar bar"),
        ("Привет мир", [("привет", "Здравствуй")], "Здравствуй мир"),
        ("3.5 35 3", [("3", "three"), ("3.5", "three and a half")], "three and a half 35 three"),
        ("", [("a", "b")], ""),
        ("... !", [("a", "b")], "... !"),
    ],
)
def test_whole_words_are_replaced(text: str, pairs: list[tuple[str, str]], expected: str) -> None:
    """Phrases match whole words in any case, the longest first, from left to right. Punctuation around them stays."""
    assert replaced(text, *pairs) == expected


@pytest.mark.parametrize(
    ("text", "pairs", "expected"),
    [
        ("東京都に行く", [("東京", "Tokyo")], "Tokyo都に行く"),
        ("北京大学", [("京大", "Kyodai")], "北Kyodai学"),
        ("カタカナ語", [("カタ", "x")], "カタカナ語"),
        ("カタカナ語", [("カタカナ", "katakana")], "katakana語"),
        ("สวัสดีครับ", [("ครับ", "นะ")], "สวัสดีนะ"),
        ("한국어 입니다", [("한국", "x")], "한국어 입니다"),
    ],
    ids=["kanji", "across words", "in katakana", "katakana", "thai", "korean has spaces"],
)
def test_scripts_without_spaces(text: str, pairs: list[tuple[str, str]], expected: str) -> None:
    """In scripts without spaces each character is a word, so phrases match anywhere, but not within katakana words."""
    assert replaced(text, *pairs) == expected


WORDS = st.sampled_from(["a", "b", "c", "d"])


@given(
    text=st.lists(WORDS, max_size=12),
    pairs=st.dictionaries(
        st.lists(WORDS, min_size=1, max_size=4).map(" ".join), st.text("XYZ", min_size=1, max_size=2)
    ),
)
def test_the_search_equals_a_naive_search(text: list[str], pairs: dict[str, str]) -> None:
    """The tree finds the same matches as a comparison of each phrase at each word."""
    expected, position = [], 0
    while position < len(text):
        fitting = [pair for pair in pairs if text[position : position + len(pair.split())] == pair.split()]
        longest = max(fitting, key=len, default=None)
        expected.append(pairs[longest] if longest else text[position])
        position += len(longest.split()) if longest else 1
    assert replaced(" ".join(text), *pairs.items()) == " ".join(expected)


@given(st.text(), st.lists(st.tuples(st.text(), st.text(min_size=1))))
def test_any_text_and_any_phrases(text: str, pairs: list[tuple[str, str]]) -> None:
    """Any text and phrases give matches in the text, in order and without overlap."""
    found = Phrases(pairs).find(text, stable_end=len(text))
    position = 0
    for match in found.matches:
        assert position <= match.start < match.end <= len(text)
        position = match.end
    assert 0 <= found.settled <= len(text)
