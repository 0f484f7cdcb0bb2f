"""Replacements in text and words of finals and partials."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tiro.speech.v1.recognition_pb2 import RecognitionConfig, Replacement
from tiro_core.routing.suitability import NO_OPTIONS
from tiro_engines.interface import Segment, Word
from tiro_transcriber.pipeline.replacements.stage import Replacements, ReplacementsType


def stage(*pairs: tuple[str, str]) -> Replacements:
    """The stage with these pairs."""
    config = RecognitionConfig(replacements=[Replacement(find=find, replace=text) for find, text in pairs])
    opened = ReplacementsType().open(config, NO_OPTIONS)
    assert opened is not None
    return opened


def segment(text: str, *, stable: int | None = None, probabilities: tuple[float, ...] = ()) -> Segment:
    """A segment whose words take 100 samples each, without gaps. The first `stable` words are stable."""
    words = tuple(
        Word(
            word,
            100 * number,
            100 * number + 100,
            probabilities[number] if probabilities else 0.5,
            stable is None or number < stable,
        )
        for number, word in enumerate(text.split())
    )
    return Segment(text, 0, 100 * len(words), words, "en")


def spans(found: Segment) -> list[tuple[str, int, int]]:
    """Words with their times."""
    return [(word.text, word.start, word.end) for word in found.words]


def stable_words(found: Segment) -> list[str]:
    """The words that are stable."""
    return [word.text for word in found.words if word.stable]


def test_a_request_without_replacements_has_no_stage() -> None:
    """Without replacements the stage is not opened."""
    assert ReplacementsType().open(RecognitionConfig(), NO_OPTIONS) is None


def test_one_word_replaces_three() -> None:
    """The new word has the times of all three, the lowest of their probabilities, and the punctuation around them."""
    before = segment('In "new york city", today.', probabilities=(0.9, 0.8, 0.6, 0.7, 0.95))
    after = stage(("new york city", "NYC")).process(before, is_final=True)
    assert after.text == 'In "NYC", today.'
    assert spans(after) == [("In", 0, 100), ('"NYC",', 100, 400), ("today.", 400, 500)]
    assert [word.probability for word in after.words] == [0.9, 0.6, 0.95]
    assert (after.start, after.end, after.language) == (0, 500, "en")


def test_two_words_replace_one() -> None:
    """The new words share the time in proportion to their lengths, without a gap."""
    after = stage(("nyc", "New York")).process(segment("to NYC."), is_final=True)
    assert after.text == "to New York."
    assert spans(after) == [("to", 0, 100), ("New", 100, 137), ("York.", 137, 200)]


def test_two_phrases_in_one_word() -> None:
    """Both phrases of one word are replaced."""
    after = stage(("rome", "Roma"), ("milan", "Milano")).process(segment("Rome/Milan now"), is_final=True)
    assert after.text == "Roma/Milano now"
    assert spans(after) == [("Roma/Milano", 0, 100), ("now", 100, 200)]


def test_a_phrase_across_words_without_spaces() -> None:
    """In scripts without spaces a phrase may end within a word of the engine."""
    words = (Word("北", 0, 10, 0.9), Word("京大学", 10, 40, 0.8), Word("です", 40, 60, 0.9))
    after = stage(("北京", "Beijing")).process(Segment("北京大学です", 0, 60, words, "ja"), is_final=True)
    assert after.text == "Beijing大学です"
    assert spans(after) == [("Beijing大学", 0, 40), ("です", 40, 60)]


def test_words_that_differ_from_the_text() -> None:
    """Phrases are replaced in text and words separately."""
    words = (Word("new", 0, 100, 0.9), Word("york", 100, 200, 0.9))
    after = stage(("new york", "NYC")).process(Segment("so new york!", 0, 200, words), is_final=True)
    assert after.text == "so NYC!"
    assert spans(after) == [("NYC", 0, 200)]


def test_a_segment_without_words() -> None:
    """The text of a segment without words is replaced."""
    after = stage(("new york", "NYC")).process(Segment("In New York.", 0, 200), is_final=True)
    assert (after.text, after.words) == ("In NYC.", ())


def test_all_words_of_a_final_are_stable() -> None:
    """Words of a final are stable, also those that begin a phrase."""
    after = stage(("new york", "NYC")).process(segment("to new"), is_final=True)
    assert stable_words(after) == ["to", "new"]


def test_a_word_that_may_begin_a_phrase_is_not_stable() -> None:
    """Such a word is stable once later stable words complete or exclude the phrase."""
    both = stage(("new york", "NYC"), ("new york city", "the city"))
    for text, stable, expected in [
        ("in new", 2, ["in"]),
        ("in new york", 3, ["in"]),
        ("in new york is", 3, ["in"]),
        ("in new york is", 4, ["in", "NYC", "is"]),
        ("in new york city", 3, ["in"]),
        ("in new york city", 4, ["in", "the", "city"]),
        ("in new york city", 2, ["in"]),
        ("in new hats are", 3, ["in", "new", "hats"]),
    ]:
        found = both.process(segment(text, stable=stable), is_final=False)
        assert stable_words(found) == expected, (text, stable)


def test_punctuation_ends_a_phrase() -> None:
    """A comma excludes a longer phrase, so the words before it are stable."""
    both = stage(("new york", "NYC"), ("new york city", "the city"))
    assert stable_words(both.process(segment("new york, city", stable=2), is_final=False)) == ["NYC,"]


VOCABULARY = st.sampled_from(["a", "b", "c", "a,", "b."])
PAIRS = st.dictionaries(
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map(" ".join),
    st.lists(st.sampled_from(["x", "y", "a"]), min_size=1, max_size=3).map(" ".join),
    min_size=1,
)


STEPS = st.lists(st.tuples(st.integers(0, 4), st.lists(VOCABULARY, max_size=3)), max_size=6)
"""For each partial the number of further stable words, and the unstable words after them."""


@given(words=st.lists(VOCABULARY, min_size=1, max_size=10), steps=STEPS, pairs=PAIRS)
def test_stable_words_stay(words: list[str], steps: list[tuple[int, list[str]]], pairs: dict[str, str]) -> None:
    """For any growth of a partial, stable words are the beginning of each later partial and of the final."""
    replacing = stage(*pairs.items())
    stable, seen = 0, list[str]()
    for more, guesses in steps:
        stable = min(stable + more, len(words))
        shown = replacing.process(segment(" ".join([*words[:stable], *guesses]), stable=stable), is_final=False)
        kept = stable_words(shown)
        assert [word.text for word in shown.words[: len(kept)]] == kept, "stable words come first"
        assert kept[: len(seen)] == seen
        assert shown.text.split() == [word.text for word in shown.words]
        seen = kept
    final = replacing.process(segment(" ".join(words)), is_final=True)
    assert [word.text for word in final.words][: len(seen)] == seen


@given(
    text=st.lists(st.text(min_size=1).filter(lambda word: not any(character.isspace() for character in word))),
    pairs=st.lists(
        st.tuples(st.text(min_size=1), st.text(min_size=1).filter(lambda text: bool(text.strip()))), min_size=1
    ),
    is_final=st.booleans(),
)
def test_any_segment_stays_consistent(text: list[str], pairs: list[tuple[str, str]], *, is_final: bool) -> None:
    """For any text and pairs times stay in order and within the segment, and words equal the text."""
    before = segment(" ".join(text))
    after = stage(*pairs).process(before, is_final=is_final)
    times = [time for word in after.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert all(before.start <= time <= before.end for time in times)
    assert "".join(word.text for word in after.words) == "".join(after.text.split())
    assert replace(after, text="", words=()) == replace(before, text="", words=())
