"""The parts of live decoding, each alone."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from faster_whisper.utils import get_assets_path
from faster_whisper.vad import get_vad_model
from hypothesis import given
from hypothesis import strategies as st

from tiro_engines.interface import Endpointing, RecognitionOptions, Samples, SpeechEnded, SpeechStarted
from tiro_engines.windowed.agreement import SURE_PROBABILITY_MIN, UNSURE_SAMPLES, LocalAgreement
from tiro_engines.windowed.boundaries import best_boundary, best_pause
from tiro_engines.windowed.decoder import DecodedWord, DecodingContext, Hypothesis, PartialWindow
from tiro_engines.windowed.endpointer import Endpointer, Pause
from tiro_engines.windowed.finals import decode_all
from tiro_engines.windowed.partials import PartialTracker
from tiro_engines.windowed.segments import segment_of
from tiro_engines.windowed.silero import SileroModel, SileroVoiceActivity
from tiro_engines.windowed.window import AudioWindow

FRAME = 512


def words(text: str, spacing: int = 1_000) -> list[DecodedWord]:
    """Make words of 800 samples, one every `spacing` samples."""
    return [DecodedWord(f" {word}", i * spacing, i * spacing + 800, 0.9) for i, word in enumerate(text.split())]


def shown(agreement: LocalAgreement, text: str) -> tuple[str, int]:
    """Update with a hypothesis. Return the shown text and its number of stable words."""
    return "".join(
        word.raw for word in agreement.update(words(text), certain_until=100_000)
    ).strip(), agreement.stable_count


def test_words_become_stable_when_two_hypotheses_agree() -> None:
    """The common beginning of two hypotheses in a row is stable. Case and punctuation do not count."""
    agreement = LocalAgreement()
    assert shown(agreement, "a big cat") == ("a big cat", 0)
    assert shown(agreement, "A big, bat sat") == ("A big, bat sat", 2)
    assert shown(agreement, "a big bat sat down") == ("A big, bat sat down", 4)


def test_an_improbable_word_becomes_stable_later() -> None:
    """A word of low probability, and the words after it, become stable once more audio follows it."""
    sure = words("a big cat sat")
    unsure = [sure[0], replace(sure[1], probability=SURE_PROBABILITY_MIN - 0.1), *sure[2:]]
    for first, second in ((sure, unsure), (unsure, sure), (unsure, unsure)):
        agreement = LocalAgreement()
        agreement.update(first, certain_until=100_000)
        early = unsure[1].end + UNSURE_SAMPLES - 1
        agreement.update(second, certain_until=early)
        assert agreement.stable_count == 1
        agreement.update(second, certain_until=early + 1)
        assert agreement.stable_count == 3


def test_a_last_word_becomes_stable_later() -> None:
    """The last word may still grow, as `1,200` to `1,200,000`: it becomes stable once more audio follows it."""
    agreement = LocalAgreement()
    spoken = words("the 1,200")
    late = spoken[-1].end + UNSURE_SAMPLES
    agreement.update(spoken, certain_until=late - 1)
    agreement.update(spoken, certain_until=late - 1)
    assert agreement.stable_count == 1
    grown = agreement.update(words("the 1,200,000"), certain_until=late)
    assert [word.text for word in grown] == ["the", "1,200,000"]
    agreement.update(words("the 1,200,000"), certain_until=late)
    assert agreement.stable_count == 2


def test_stable_words_stay_when_a_hypothesis_disagrees() -> None:
    """A hypothesis that changes a stable word adds its later words only."""
    agreement = LocalAgreement()
    shown(agreement, "one two")
    shown(agreement, "one two")
    assert shown(agreement, "won too three") == ("one two three", 2)


def test_a_hypothesis_without_words_removes_no_stable_word() -> None:
    """Stable words survive a hypothesis that was withheld."""
    agreement = LocalAgreement()
    shown(agreement, "one two")
    shown(agreement, "one two three")
    assert shown(agreement, "") == ("one two", 2)


def test_a_reset_forgets_the_last_hypothesis() -> None:
    """After a reset words need two hypotheses again to be stable."""
    agreement = LocalAgreement()
    shown(agreement, "one")
    shown(agreement, "one")
    agreement.reset()
    assert shown(agreement, "one") == ("one", 0)


def accept(endpointer: Endpointer, probabilities: str) -> list[SpeechStarted | SpeechEnded]:
    """Feed frames: `S` is probable speech, `s` less probable speech, any other character silence."""
    levels = {"S": 0.9, "s": 0.4}
    events = (
        endpointer.accept_frame(i * FRAME, (i + 1) * FRAME, levels.get(letter, 0.0))
        for i, letter in enumerate(probabilities)
    )
    return [event for event in events if event is not None]


def test_speech_starts_at_the_first_of_its_frames() -> None:
    """The start of speech is the first of the frames that made it certain."""
    assert accept(Endpointer(Endpointing()), "..S..SSSS") == [SpeechStarted(5 * FRAME)]


def test_speech_ends_at_its_last_frame_after_the_silence() -> None:
    """The end is the last frame of speech. Less probable speech extends an utterance but does not begin one."""
    endpointer = Endpointer(Endpointing(silence_ms=100))
    assert accept(endpointer, "ssssSSSSss...s....") == [SpeechStarted(4 * FRAME), SpeechEnded(14 * FRAME)]


def test_pauses_are_listed_until_the_utterance_is_split_after_them() -> None:
    """Pauses are the silences that are long enough for a split, an ongoing one included."""
    endpointer = Endpointer(Endpointing(silence_ms=1_000))
    accept(endpointer, "SSSSSS....SSSS..SSSS.....")
    now = 25 * FRAME
    assert endpointer.pauses(0, now) == [Pause(6 * FRAME, 10 * FRAME), Pause(20 * FRAME, now)]
    endpointer.split(8 * FRAME)
    assert endpointer.pauses(0, now) == [Pause(20 * FRAME, now)]


def test_the_longest_pause_is_the_best() -> None:
    """The best pause is the longest, the last of equal ones, and None without pauses."""
    assert best_pause([Pause(0, 10), Pause(20, 40), Pause(50, 70)]) == Pause(50, 70)
    assert best_pause([]) is None


def test_the_widest_gap_is_the_best_boundary() -> None:
    """The boundary is the widest gap after a position, never after the last word."""
    spoken = [DecodedWord("a", 0, 10, 1), DecodedWord("b", 90, 100, 1), DecodedWord("c", 120, 130, 1)]
    spoken += [DecodedWord("d", 140, 150, 1)]
    assert best_boundary(spoken, after=0) == 1
    assert best_boundary(spoken, after=50) == 2
    assert best_boundary(spoken, after=140) is None
    assert best_boundary(spoken[:1], after=0) is None


@given(trims=st.lists(st.integers(0, 120), max_size=5))
def test_a_trim_keeps_the_positions_of_samples(trims: list[int]) -> None:
    """After any trims a sample stays at its position."""
    window = AudioWindow(0)
    window.append(np.arange(100, dtype=np.float32))
    for trim in trims:
        window.trim(trim)
        assert window.end == 100
        assert window.start <= 100
        assert window.until(100).tolist() == list(range(window.start, 100))


def test_times_of_words_are_inside_the_window_and_in_order() -> None:
    """Times that overlap, or exceed the end of the window, are corrected. No word is without length."""
    spoken = [DecodedWord(" a", 0, 6_000, 1.0), DecodedWord(" b,", 5_000, 9_000, 1.0)]
    spoken += [DecodedWord(" c", 10_000, 15_000, 1.0), DecodedWord(" d", 15_000, 15_000, 1.0)]
    segment = segment_of(spoken, 100_000, 110_000, "en", with_words=True, stable=1)
    assert segment.text == "a b, c d"
    assert [(word.start, word.end, word.stable) for word in segment.words] == [
        (100_000, 106_000, True),
        (106_000, 108_720, False),
        (108_720, 109_360, False),
        (109_360, 110_000, False),
    ]


@pytest.fixture(scope="module")
def silero() -> SileroModel:
    """The voice activity model of faster-whisper."""
    return SileroModel(Path(get_assets_path()) / "silero_vad_v6.onnx")


@given(cuts=st.lists(st.integers(0, 8_000), max_size=5))
def test_voice_activity_does_not_depend_on_chunking(silero: SileroModel, cuts: list[int]) -> None:
    """Samples in any chunks give the probabilities that the library computes for all of them at once."""
    samples: Samples = np.random.default_rng(1).normal(0, 0.1, 8_192).astype(np.float32)
    voice = SileroVoiceActivity(silero)
    bounds = [0, *sorted(cuts), len(samples)]
    found = [p for a, b in pairwise(bounds) for p in voice.probabilities(samples[a:b])]
    whole = get_vad_model()(samples.copy()).reshape(-1).tolist()
    assert found[:-1] == pytest.approx(whole[:-1], abs=1e-5)  # the library blanks the end of the last frame


class ForgetfulDecoder:
    """A `WindowDecoder` that stops after the first word of a long window, as Whisper sometimes does."""

    seconds_max = 28.0

    def __init__(self) -> None:
        self.windows: list[int] = []

    def configure(self, options: RecognitionOptions) -> None:
        """Do nothing."""

    def decode_partial(self, window: PartialWindow) -> Hypothesis:
        """Return no words."""
        return Hypothesis()

    def decode_final(
        self, samples: Samples, prefix: Sequence[DecodedWord] = (), context: DecodingContext | None = None
    ) -> Hypothesis:
        """Return one word for each second of a short window, and a single one for a long window."""
        self.windows.append(len(samples))
        count = 1 if len(samples) > 5 * 16_000 else len(samples) // 16_000
        return Hypothesis(
            tuple(DecodedWord(f" {len(samples)}", i * 16_000, i * 16_000 + 8_000, 1.0) for i in range(count))
        )


def test_a_window_with_too_few_words_is_decoded_in_parts() -> None:
    """A window with too few words is split at a pause. Words of both parts keep their positions."""
    decoder = ForgetfulDecoder()
    samples = np.zeros(8 * 16_000, np.float32)
    found = decode_all(decoder, samples, [Pause(60_000, 68_000)])
    assert decoder.windows == [128_000, 64_000, 64_000]
    assert [word.start for word in found.words] == [second * 16_000 for second in range(8)]


def test_few_words_for_little_speech_are_accepted() -> None:
    """A window that is mostly pause may have one word."""
    decoder = ForgetfulDecoder()
    found = decode_all(decoder, np.zeros(8 * 16_000, np.float32), [Pause(20_000, 120_000)])
    assert decoder.windows == [128_000]
    assert len(found.words) == 1


def test_a_window_without_a_pause_is_not_split() -> None:
    """A window with too few words and no pause is decoded once."""
    decoder = ForgetfulDecoder()
    decode_all(decoder, np.zeros(8 * 16_000, np.float32), [])
    assert decoder.windows == [128_000]


def test_an_empty_hypothesis_keeps_the_last_partial() -> None:
    """An empty hypothesis gives no partial. A hypothesis after it is compared with the one before it."""
    window, partials = AudioWindow(0), PartialTracker(0)
    window.append(np.zeros(40_000, np.float32))
    hypothesis = Hypothesis(tuple(words("it was the")), "en")
    assert partials.update(window, hypothesis) is not None
    assert partials.update(window, Hypothesis()) is None
    again = partials.update(window, hypothesis)
    assert again is not None
    assert [word.text for word in again.words] == ["it", "was", "the"]
    assert again.stable_count == 3
