"""What is left out of a transcript, and that it is told."""

import threading

import pytest

from tiro_engines.faster_whisper.credits import names_subtitlers
from tiro_engines.faster_whisper.guard import Guard
from tiro_engines.faster_whisper.trust import Generated
from tiro_engines.interface import SAMPLE_RATE, Cancelled, DroppedText, Segment, Word


def guarded(segment: Segment, *, log_probability: float = -0.2, silent: float = 0.0) -> tuple[list[Segment], Guard]:
    """Give a guard one segment. What it passes on, and the guard."""
    passed: list[Segment] = []
    guard = Guard(passed.append, threading.Event())
    guard.take(segment, Generated([], segment.text, log_probability, silent))
    return passed, guard


def spoken(text: str, seconds: float = 10.0) -> Segment:
    """A segment with its words, evenly spread."""
    texts = text.split()
    step = round(seconds * SAMPLE_RATE / max(1, len(texts)))
    words = tuple(Word(word, index * step, (index + 1) * step, 1.0) for index, word in enumerate(texts))
    return Segment(text, 0, len(texts) * step, words, "en")


def test_speech_passes() -> None:
    """What is said goes on as it is."""
    segment = spoken("I really, really, really mean it.")
    assert guarded(segment)[0] == [segment]


@pytest.mark.parametrize(
    ("text", "log_probability", "silent"),
    [("You", -0.65, 0.95), ("Thank you.", -0.8, 0.7), ("Music", -1.4, 0.45), (". . .", -0.1, 0.0)],
)
def test_text_over_silence_is_left_out_and_told(text: str, log_probability: float, silent: float) -> None:
    """With its place and the reason."""
    passed, guard = guarded(spoken(text), log_probability=log_probability, silent=silent)
    assert passed == []
    (dropped,) = guard.dropped
    assert (dropped.text, dropped.start, dropped.end) == (text, 0, spoken(text).end)
    assert f"{silent:.2f}" in dropped.why


def test_credits_are_left_out_however_likely() -> None:
    """Whisper is sure of what it read ten thousand times."""
    passed, guard = guarded(spoken("Untertitel im Auftrag des ZDF, 2020"), log_probability=-0.05)
    assert passed == []
    assert [dropped.why for dropped in guard.dropped] == ["credits of subtitles"]


def test_a_loop_is_said_once_and_the_rest_is_told() -> None:
    """Eighty words in ten seconds that say one sentence: the first time stays, with its own end."""
    sentence = "And a grain or two perhaps is good."
    passed, guard = guarded(spoken(" ".join([sentence] * 10)))
    assert [segment.text for segment in passed] == [sentence]
    assert passed[0].end == passed[0].words[-1].end == SAMPLE_RATE
    (dropped,) = guard.dropped
    assert dropped == DroppedText(
        " ".join([sentence] * 9), SAMPLE_RATE, 10 * SAMPLE_RATE, "repeats itself faster than anybody speaks"
    )


def test_a_loop_without_words_is_cut_too() -> None:
    """Where no word times were asked for the text is enough."""
    whole = spoken(" ".join(["We add everything."] * 20), 8)
    passed, _ = guarded(Segment(whole.text, 0, whole.end, (), "en"))
    assert [segment.text for segment in passed] == ["We add everything."]


def test_who_repeats_at_the_pace_of_speech_is_believed() -> None:
    """A chorus is no loop."""
    segment = spoken(" ".join(["And a grain or two perhaps is good."] * 10), 30)
    assert guarded(segment)[0] == [segment]


@pytest.mark.parametrize(
    "text",
    [
        "Ondertitels ingediend door de Amara.org gemeenschap",
        "Sous-titrage ST' 501",
        "Субтитры сделал DimaTorzok",
        "Subtitles by the Amara.org community",
        "字幕志愿者 杨茜茜",
    ],
)
def test_credits_are_known(text: str) -> None:
    """In the languages that users of Whisper have reported."""
    assert names_subtitlers(text)


@pytest.mark.parametrize(
    "text",
    ["Thanks for watching!", "The film was subtitled by volunteers.", "Die Untertitel fehlen.", "Please subscribe."],
)
def test_what_people_say_is_no_credit(text: str) -> None:
    """Also where it is about subtitles, or what every video ends with."""
    assert not names_subtitlers(text)


def test_nothing_passes_once_cancelled() -> None:
    """A segment that nobody wants is not handed over."""
    cancelled = threading.Event()
    cancelled.set()
    passed: list[Segment] = []
    with pytest.raises(Cancelled):
        Guard(passed.append, cancelled).take(spoken("Hello."), Generated([], "Hello.", -0.1, 0.0))
    assert passed == []
