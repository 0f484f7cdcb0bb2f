"""What is left out of a transcript, and that it is reported."""

import threading

import pytest

from tiro_engines.faster_whisper.credits import is_subtitle_credit
from tiro_engines.faster_whisper.generated import Generated
from tiro_engines.faster_whisper.hallucination_filter import HallucinationFilter
from tiro_engines.interface import SAMPLE_RATE, Cancelled, DroppedText, Segment, Word


def filtered(
    segment: Segment, *, log_probability: float = -0.2, silent: float = 0.0
) -> tuple[list[Segment], HallucinationFilter]:
    """Give a filter one segment. Returns what it passes on, and the filter."""
    passed: list[Segment] = []
    output = HallucinationFilter(passed.append, threading.Event())
    output.accept(segment, Generated([], segment.text, log_probability, silent))
    return passed, output


def spoken(text: str, seconds: float = 10.0) -> Segment:
    """A segment with its words, evenly spread."""
    texts = text.split()
    step = round(seconds * SAMPLE_RATE / max(1, len(texts)))
    words = tuple(Word(word, index * step, (index + 1) * step, 1.0) for index, word in enumerate(texts))
    return Segment(text, 0, len(texts) * step, words, "en")


def test_speech_passes() -> None:
    """What is said goes on as it is."""
    segment = spoken("I really, really, really mean it.")
    assert filtered(segment)[0] == [segment]


@pytest.mark.parametrize(
    ("text", "log_probability", "silent"),
    [("You", -0.65, 0.95), ("Thank you.", -0.8, 0.7), ("Music", -1.4, 0.45), (". . .", -0.1, 0.0)],
)
def test_text_over_silence_is_left_out_and_reported(text: str, log_probability: float, silent: float) -> None:
    """With its time and the reason."""
    passed, output = filtered(spoken(text), log_probability=log_probability, silent=silent)
    assert passed == []
    (dropped,) = output.dropped
    assert (dropped.text, dropped.start, dropped.end) == (text, 0, spoken(text).end)
    assert f"{silent:.2f}" in dropped.reason


def test_credits_are_left_out_however_likely() -> None:
    """Whisper is sure of what it read ten thousand times."""
    passed, output = filtered(spoken("Untertitel im Auftrag des ZDF, 2020"), log_probability=-0.05)
    assert passed == []
    assert [dropped.reason for dropped in output.dropped] == ["credits of subtitles"]


def test_a_loop_is_without_repetition_and_the_rest_is_reported() -> None:
    """Eighty words in ten seconds that say one sentence: the first time stays, with its own end."""
    sentence = "And a grain or two perhaps is good."
    passed, output = filtered(spoken(" ".join([sentence] * 10)))
    assert [segment.text for segment in passed] == [sentence]
    assert passed[0].end == passed[0].words[-1].end == SAMPLE_RATE
    (dropped,) = output.dropped
    assert dropped == DroppedText(
        " ".join([sentence] * 9), SAMPLE_RATE, 10 * SAMPLE_RATE, "a repetition faster than speech"
    )


def test_a_loop_without_words_is_cut_too() -> None:
    """Where no word times were asked for the text is enough."""
    whole = spoken(" ".join(["We add everything."] * 20), 8)
    passed, _ = filtered(Segment(whole.text, 0, whole.end, (), "en"))
    assert [segment.text for segment in passed] == ["We add everything."]


def test_who_repeats_at_the_pace_of_speech_is_believed() -> None:
    """A chorus is no loop."""
    segment = spoken(" ".join(["And a grain or two perhaps is good."] * 10), 30)
    assert filtered(segment)[0] == [segment]


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
    assert is_subtitle_credit(text)


@pytest.mark.parametrize(
    "text",
    ["Thanks for watching!", "The film was subtitled by volunteers.", "Die Untertitel fehlen.", "Please subscribe."],
)
def test_what_people_say_is_no_credit(text: str) -> None:
    """Also where it is about subtitles, or what every video ends with."""
    assert not is_subtitle_credit(text)


def test_nothing_passes_once_cancelled() -> None:
    """A segment that nobody wants is not handed over."""
    cancelled = threading.Event()
    cancelled.set()
    passed: list[Segment] = []
    with pytest.raises(Cancelled):
        HallucinationFilter(passed.append, cancelled).accept(spoken("Hello."), Generated([], "Hello.", -0.1, 0.0))
    assert passed == []
