"""Text that the hallucination filter drops from a transcript, and its report."""

import threading

import pytest

from tiro_engines.faster_whisper.credits import is_subtitle_credit
from tiro_engines.faster_whisper.generated import Generated
from tiro_engines.faster_whisper.hallucination_filter import HallucinationFilter
from tiro_engines.interface import SAMPLE_RATE, Cancelled, DroppedText, Segment, Word


def filtered(
    segment: Segment, *, log_probability: float = -0.2, silent: float = 0.0
) -> tuple[list[Segment], HallucinationFilter]:
    """Filter one segment. Return the segments that pass, and the filter."""
    passed: list[Segment] = []
    output = HallucinationFilter(passed.append, threading.Event())
    output.accept(segment, Generated([], segment.text, log_probability, silent))
    return passed, output


def spoken(text: str, seconds: float = 10.0) -> Segment:
    """A segment whose words are evenly spread."""
    texts = text.split()
    step = round(seconds * SAMPLE_RATE / max(1, len(texts)))
    words = tuple(Word(word, index * step, (index + 1) * step, 1.0) for index, word in enumerate(texts))
    return Segment(text, 0, len(texts) * step, words, "en")


def test_speech_passes() -> None:
    """A segment of speech passes unchanged."""
    segment = spoken("I really, really, really mean it.")
    assert filtered(segment)[0] == [segment]


@pytest.mark.parametrize(
    ("text", "log_probability", "silent"),
    [("You", -0.65, 0.95), ("Thank you.", -0.8, 0.7), ("Music", -1.4, 0.45), (". . .", -0.1, 0.0)],
)
def test_text_over_silence_is_dropped_and_reported(text: str, log_probability: float, silent: float) -> None:
    """Dropped text is reported with its times and the reason."""
    passed, output = filtered(spoken(text), log_probability=log_probability, silent=silent)
    assert passed == []
    (dropped,) = output.dropped
    assert (dropped.text, dropped.start, dropped.end) == (text, 0, spoken(text).end)
    assert f"{silent:.2f}" in dropped.reason


def test_subtitle_credits_are_dropped_whatever_their_probability() -> None:
    """Credits are frequent in Whisper's training data, so their probability is high."""
    passed, output = filtered(spoken("Untertitel im Auftrag des ZDF, 2020"), log_probability=-0.05)
    assert passed == []
    assert [dropped.reason for dropped in output.dropped] == ["credits of subtitles"]


def test_repetitions_of_a_loop_are_dropped_and_reported() -> None:
    """Of one sentence ten times in ten seconds the first is kept, with its own end."""
    sentence = "And a grain or two perhaps is good."
    passed, output = filtered(spoken(" ".join([sentence] * 10)))
    assert [segment.text for segment in passed] == [sentence]
    assert passed[0].end == passed[0].words[-1].end == SAMPLE_RATE
    (dropped,) = output.dropped
    assert dropped == DroppedText(
        " ".join([sentence] * 9), SAMPLE_RATE, 10 * SAMPLE_RATE, "a repetition faster than speech"
    )


def test_a_loop_without_word_times_is_shortened() -> None:
    """Without word times the repetition is found in the text."""
    whole = spoken(" ".join(["We add everything."] * 20), 8)
    passed, _ = filtered(Segment(whole.text, 0, whole.end, (), "en"))
    assert [segment.text for segment in passed] == ["We add everything."]


def test_repetition_at_the_pace_of_speech_passes() -> None:
    """A sentence ten times in 30 s may be speech, such as a chorus."""
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
def test_subtitle_credits_are_recognized(text: str) -> None:
    """Credits are recognized in the languages in which users of Whisper have reported them."""
    assert is_subtitle_credit(text)


@pytest.mark.parametrize(
    "text",
    ["Thanks for watching!", "The film was subtitled by volunteers.", "Die Untertitel fehlen.", "Please subscribe."],
)
def test_speech_is_not_taken_for_credits(text: str) -> None:
    """Speech about subtitles, and usual ends of videos, are not credits."""
    assert not is_subtitle_credit(text)


def test_nothing_passes_once_cancelled() -> None:
    """A cancelled filter raises Cancelled and passes no segment."""
    cancelled = threading.Event()
    cancelled.set()
    passed: list[Segment] = []
    with pytest.raises(Cancelled):
        HallucinationFilter(passed.append, cancelled).accept(spoken("Hello."), Generated([], "Hello.", -0.1, 0.0))
    assert passed == []
