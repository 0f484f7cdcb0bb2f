"""Live sessions of the fake engine, whose words are exact."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiro_engines.fake.engine import FakeEngine
from tiro_engines.fake.markers import MARKER_SAMPLES, encode
from tiro_engines.fake.session import FakeSession
from tiro_engines.interface import (
    CommittedContext,
    Endpointing,
    EngineSettings,
    Final,
    ModelUnavailable,
    Samples,
    SessionOptions,
    SessionUpdate,
    UtteranceEnd,
)
from tiro_engines.registry import find_engine

OPTIONS = SessionOptions(endpointing=Endpointing(silence_ms=400, utterance_seconds_max=2.0))


def speech(*runs: range, pause_ms: int = 500) -> Samples:
    """Make runs of markers with pauses around them."""
    pause = np.zeros(16 * pause_ms, np.int16)
    pcm = np.concatenate([pause, *(piece for run in runs for piece in (encode(run), pause))])
    return pcm.astype(np.float32) / np.float32(32768)


def session(start: int = 0, context: CommittedContext | None = None) -> FakeSession:
    """Open a session."""
    return FakeSession(OPTIONS, start, context, FakeEngine("markers", frozenset({"en"})).capabilities.require_language)


def finals_of(updates: list[SessionUpdate]) -> list[Final]:
    """Pick the finals."""
    return [update for update in updates if isinstance(update, Final)]


def words_of(updates: list[SessionUpdate]) -> list[str]:
    """List the words of the finals."""
    return [word.text for final in finals_of(updates) for word in final.segment.words]


SPEECH = speech(range(5), range(5, 25), range(25, 26))
ALL_WORDS = [f"w{number}" for number in range(26)]


@given(cuts=st.lists(st.integers(0, len(SPEECH)), max_size=12))
def test_any_chunking_gives_the_same_finals(cuts: list[int]) -> None:
    """Finals do not depend on the chunks of samples."""
    live, whole = session(), session()
    bounds = [0, *sorted(cuts), len(SPEECH)]
    updates = [u for a, b in pairwise(bounds) for u in live.advance(SPEECH[a:b])]
    assert finals_of([*updates, *live.finalize()]) == finals_of([*whole.advance(SPEECH), *whole.finalize()])


@given(cuts=st.lists(st.integers(0, len(SPEECH)), max_size=4))
def test_a_finalize_anywhere_loses_and_repeats_no_word(cuts: list[int]) -> None:
    """Every word is in a final once and in order, wherever and however often the session is finalized."""
    live = session()
    updates: list[SessionUpdate] = []
    bounds = [0, *sorted(cuts), len(SPEECH)]
    for begin, end in pairwise(bounds):
        updates += [*live.advance(SPEECH[begin:end]), *live.finalize()]
    assert words_of(updates) == ALL_WORDS


@given(final=st.integers(0, 5), lost=st.integers(0, len(SPEECH)))
def test_a_session_can_be_taken_over_after_any_final(final: int, lost: int) -> None:
    """A new session that starts at `resume_at` of any final continues with the next word."""
    first = finals_of(session().advance(SPEECH[:lost]))[: final + 1]
    begin = first[-1].resume_at if first else 0
    second = session(begin)
    updates = [*first, *second.advance(SPEECH[begin:]), *second.finalize()]
    assert words_of(updates) == ALL_WORDS


@given(final=st.integers(0, 5), lost=st.integers(0, len(SPEECH)))
def test_a_session_that_starts_with_context_does_not_repeat_it(final: int, lost: int) -> None:
    """A new session that starts with the context of any final continues with the next word."""
    first = finals_of(session().advance(SPEECH[:lost]))[: final + 1]
    context = first[-1].context if first else None
    begin = context.start if context else 0
    second = session(begin, context)
    updates = [*first, *second.advance(SPEECH[begin:]), *second.finalize()]
    assert words_of(updates) == ALL_WORDS


def test_the_utterance_ends_after_the_silence() -> None:
    """An utterance ends at the sample at which the silence is long enough, not earlier."""
    live = session()
    assert finals_of(live.advance(speech(range(1))[: 8_000 + MARKER_SAMPLES + 6_399])) == []
    updates = live.advance(np.zeros(1, np.float32))
    assert updates[-1] == UtteranceEnd(8_000 + MARKER_SAMPLES + 6_400)


def test_samples_of_noise_are_not_kept() -> None:
    """Samples that cannot belong to a marker are dropped."""
    live = session()
    noise = np.random.default_rng(1).uniform(-1, 1, 16_000).astype(np.float32)
    for _ in range(5):
        live.advance(noise)
    assert len(live._unread) < MARKER_SAMPLES


def test_an_unknown_model_is_refused() -> None:
    """An unknown model is refused with its name."""
    with pytest.raises(ModelUnavailable, match="'base'"):
        find_engine("fake").load("base", EngineSettings(models_dir=""))
