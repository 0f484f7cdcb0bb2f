"""The parts of live decoding, one by one."""

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
    """Make a decoding, one word each second thousandth of samples."""
    return [DecodedWord(f" {word}", i * spacing, i * spacing + 800, 0.9) for i, word in enumerate(text.split())]


def shown(agreement: LocalAgreement, text: str) -> tuple[str, int]:
    """Update with a decoding; return the text shown and how many of its words are stable."""
    return "".join(
        word.raw for word in agreement.update(words(text), certain_until=100_000)
    ).strip(), agreement.stable_count


def test_words_become_stable_when_two_decodings_agree() -> None:
    """The common beginning of two decodings in a row is stable, whatever their case and punctuation."""
    agreement = LocalAgreement()
    assert shown(agreement, "a big cat") == ("a big cat", 0)
    assert shown(agreement, "A big, bat sat") == ("A big, bat sat", 2)
    assert shown(agreement, "a big bat sat down") == ("A big, bat sat down", 4)


def test_a_word_that_a_decoding_is_not_sure_of_becomes_stable_later() -> None:
    """It waits until more is heard behind it, and the words after it wait with it."""
    sure = words("a big cat")
    unsure = [sure[0], replace(sure[1], probability=SURE_PROBABILITY_MIN - 0.1), sure[2]]
    for first, second in ((sure, unsure), (unsure, sure), (unsure, unsure)):
        agreement = LocalAgreement()
        agreement.update(first, certain_until=100_000)
        early = unsure[1].end + UNSURE_SAMPLES - 1
        agreement.update(second, certain_until=early)
        assert agreement.stable_count == 1
        agreement.update(second, certain_until=early + 1)
        assert agreement.stable_count == 3


def test_stable_words_stay_when_a_decoding_disagrees() -> None:
    """A decoding that changes a stable word adds only what it heard later."""
    agreement = LocalAgreement()
    shown(agreement, "one two")
    shown(agreement, "one two")
    assert shown(agreement, "won too three") == ("one two three", 2)


def test_a_decoding_without_words_takes_no_stable_word_back() -> None:
    """Stable words survive a decoding that was withheld."""
    agreement = LocalAgreement()
    shown(agreement, "one two")
    shown(agreement, "one two three")
    assert shown(agreement, "") == ("one two", 2)


def test_a_new_utterance_agrees_with_nothing() -> None:
    """After a reset the same words have to be heard twice again."""
    agreement = LocalAgreement()
    shown(agreement, "one")
    shown(agreement, "one")
    agreement.reset()
    assert shown(agreement, "one") == ("one", 0)


def hear(endpointer: Endpointer, probabilities: str) -> list[SpeechStarted | SpeechEnded]:
    """Feed frames: S is speech, s hardly, anything else none."""
    levels = {"S": 0.9, "s": 0.4}
    heard = (
        endpointer.accept_frame(i * FRAME, (i + 1) * FRAME, levels.get(letter, 0.0))
        for i, letter in enumerate(probabilities)
    )
    return [event for event in heard if event is not None]


def test_speech_starts_where_it_was_first_heard() -> None:
    """The beginning is the first of the frames that made it certain."""
    assert hear(Endpointer(Endpointing()), "..S..SSSS") == [SpeechStarted(5 * FRAME)]


def test_speech_ends_after_the_silence_where_it_was_last_heard() -> None:
    """The end is the last frame of speech; hardly heard speech keeps an utterance going but does not begin one."""
    endpointer = Endpointer(Endpointing(silence_ms=100))
    assert hear(endpointer, "ssssSSSSss...s....") == [SpeechStarted(4 * FRAME), SpeechEnded(14 * FRAME)]


def test_pauses_are_told_until_the_utterance_is_cut_behind_them() -> None:
    """Only silences long enough to cut at are pauses, the one that still lasts included."""
    endpointer = Endpointer(Endpointing(silence_ms=1_000))
    hear(endpointer, "SSSSSS....SSSS..SSSS.....")
    now = 25 * FRAME
    assert endpointer.pauses(0, now) == [Pause(6 * FRAME, 10 * FRAME), Pause(20 * FRAME, now)]
    endpointer.split(8 * FRAME)
    assert endpointer.pauses(0, now) == [Pause(20 * FRAME, now)]


def test_the_longest_pause_is_the_best() -> None:
    """Of equal pauses the last; of none, none."""
    assert best_pause([Pause(0, 10), Pause(20, 40), Pause(50, 70)]) == Pause(50, 70)
    assert best_pause([]) is None


def test_the_widest_gap_is_the_best_boundary() -> None:
    """A boundary keeps the words before the widest gap in the later part, never the last word."""
    heard = [DecodedWord("a", 0, 10, 1), DecodedWord("b", 90, 100, 1), DecodedWord("c", 120, 130, 1)]
    heard += [DecodedWord("d", 140, 150, 1)]
    assert best_boundary(heard, after=0) == 1
    assert best_boundary(heard, after=50) == 2
    assert best_boundary(heard, after=140) is None
    assert best_boundary(heard[:1], after=0) is None


@given(trims=st.lists(st.integers(0, 120), max_size=5))
def test_the_window_keeps_positions(trims: list[int]) -> None:
    """Whatever is trimmed, a sample stays at its position."""
    window = AudioWindow(0)
    window.append(np.arange(100, dtype=np.float32))
    for trim in trims:
        window.trim(trim)
        assert window.end == 100
        assert window.start <= 100
        assert window.until(100).tolist() == list(range(window.start, 100))


def test_words_are_placed_inside_the_window_in_order() -> None:
    """Times that overlap or run over the window's end are set right."""
    heard = [DecodedWord(" a", 0, 60, 1.0), DecodedWord(" b", 50, 90, 1.0), DecodedWord(",", 90, 150, 1.0)]
    segment = segment_of(heard, 1_000, 1_100, "en", with_words=True, stable=1)
    assert segment.text == "a b,"
    assert [(word.start, word.end, word.stable) for word in segment.words] == [
        (1_000, 1_060, True),
        (1_060, 1_090, False),
        (1_090, 1_100, False),
    ]


@pytest.fixture(scope="module")
def silero() -> SileroModel:
    """Load the voice activity model that comes with faster-whisper."""
    return SileroModel(Path(get_assets_path()) / "silero_vad_v6.onnx")


@given(cuts=st.lists(st.integers(0, 8_000), max_size=5))
def test_voice_activity_does_not_depend_on_chunking(silero: SileroModel, cuts: list[int]) -> None:
    """Samples in any portions give the probabilities that the library finds for all of them at once."""
    samples: Samples = np.random.default_rng(1).normal(0, 0.1, 8_192).astype(np.float32)
    voice = SileroVoiceActivity(silero)
    bounds = [0, *sorted(cuts), len(samples)]
    found = [p for a, b in pairwise(bounds) for p in voice.probabilities(samples[a:b])]
    whole = get_vad_model()(samples.copy()).reshape(-1).tolist()
    assert found[:-1] == pytest.approx(whole[:-1], abs=1e-5)  # the library blanks the end of the last frame


class ForgetfulDecoder:
    """A `WindowDecoder` that stops after the first word of a long window, as Whisper may at the end of a sentence."""

    seconds_max = 28.0

    def __init__(self) -> None:
        self.windows: list[int] = []

    def configure(self, options: RecognitionOptions) -> None:
        """Change nothing."""

    def decode_partial(self, window: PartialWindow) -> Hypothesis:
        """Hear nothing."""
        return Hypothesis()

    def decode_final(
        self, samples: Samples, prefix: Sequence[DecodedWord] = (), context: DecodingContext | None = None
    ) -> Hypothesis:
        """Say one word a second of a short window, and one in all of a long one."""
        self.windows.append(len(samples))
        count = 1 if len(samples) > 5 * 16_000 else len(samples) // 16_000
        return Hypothesis(
            tuple(DecodedWord(f" {len(samples)}", i * 16_000, i * 16_000 + 8_000, 1.0) for i in range(count))
        )


def test_a_window_that_says_too_little_is_decoded_in_parts() -> None:
    """Where a pause divides it, both parts are decoded, and their words lie where they were said."""
    decoder = ForgetfulDecoder()
    samples = np.zeros(8 * 16_000, np.float32)
    found = decode_all(decoder, samples, [Pause(60_000, 68_000)])
    assert decoder.windows == [128_000, 64_000, 64_000]
    assert [word.start for word in found.words] == [second * 16_000 for second in range(8)]


def test_a_short_answer_to_little_speech_stands() -> None:
    """A word in a window that is mostly pause is all there is."""
    decoder = ForgetfulDecoder()
    found = decode_all(decoder, np.zeros(8 * 16_000, np.float32), [Pause(20_000, 120_000)])
    assert decoder.windows == [128_000]
    assert len(found.words) == 1


def test_a_window_without_a_pause_is_left_whole() -> None:
    """There is no place to divide it without harm."""
    decoder = ForgetfulDecoder()
    decode_all(decoder, np.zeros(8 * 16_000, np.float32), [])
    assert decoder.windows == [128_000]


def test_a_decoding_that_says_nothing_takes_back_nothing() -> None:
    """What was shown stays the best guess; a word that is said again after it can still become stable."""
    window, partials = AudioWindow(0), PartialTracker(0)
    window.append(np.zeros(40_000, np.float32))
    said = Hypothesis(tuple(words("it was the")), "en")
    assert partials.update(window, said) is not None
    assert partials.update(window, Hypothesis()) is None
    again = partials.update(window, said)
    assert again is not None
    assert [word.text for word in again.words] == ["it", "was", "the"]
    assert again.stable_count == 3
