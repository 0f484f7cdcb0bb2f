"""The contract of an engine for live sessions."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from tests.contract.engines.caller import ENGLISH, OPTIONS, STEP, Caller
from tiro_engines.interface import (
    Endpointing,
    Engine,
    EngineSession,
    Final,
    Partial,
    RecognitionOptions,
    Samples,
    SessionOptions,
    SessionUpdate,
    SpeechStarted,
    UnsupportedLanguage,
    UtteranceEnd,
)

WordErrorRate = Callable[[str], float]

NOTHING: Samples = np.zeros(0, dtype=np.float32)


def finals_of(updates: Sequence[SessionUpdate]) -> list[Final]:
    """Pick the finals."""
    return [update for update in updates if isinstance(update, Final)]


def partials_of(updates: Sequence[SessionUpdate]) -> list[Partial]:
    """Pick the partials."""
    return [update for update in updates if isinstance(update, Partial)]


def plain(partials: Sequence[Partial]) -> list[str]:
    """The words of partials: punctuation changes with the padding of a window."""
    return ["".join(filter(str.isalnum, word.text.casefold())) for one in partials for word in one.segment.words]


def text_of(finals: Sequence[Final]) -> str:
    """Join the texts of finals."""
    return " ".join(final.segment.text for final in finals)


@pytest.fixture
def caller(engine: Engine, answered: Callable[[EngineSession], None]) -> Iterator[Caller]:
    """A caller whose sessions are closed after the test."""
    with Caller(engine, answered) as caller:
        yield caller


@pytest.fixture(scope="module")
def streamed(engine: Engine, answered: Callable[[EngineSession], None], speech: Samples) -> list[SessionUpdate]:
    """Updates of a session over all the speech."""
    with Caller(engine, answered) as caller:
        return caller.stream(speech)


def test_finals_hold_the_words(streamed: list[SessionUpdate], error_rate: WordErrorRate, error_rate_max: float) -> None:
    """The finals' word error rate is within the engine's bound."""
    finals = finals_of(streamed)
    assert error_rate(text_of(finals)) <= error_rate_max


def test_partials_come_before_the_final(streamed: list[SessionUpdate]) -> None:
    """The first update is SpeechStarted, followed by partials, then by the final."""
    updates = streamed
    first_final = updates.index(finals_of(updates)[0])
    assert isinstance(updates[0], SpeechStarted)
    assert len(partials_of(updates[:first_final])) > 1


def test_finals_never_overlap_or_go_back(streamed: list[SessionUpdate], speech: Samples) -> None:
    """Each final begins at the `resume_at` of the one before it, or later, and its words lie in it in order."""
    finals = finals_of(streamed)
    assert all(first.resume_at <= second.segment.start for first, second in pairwise(finals))
    assert finals[0].segment.start >= 0
    for final in finals:
        words = final.segment.words
        assert final.segment.start <= final.segment.end <= final.resume_at <= len(speech)
        assert (words[0].start, words[-1].end) == (final.segment.start, final.segment.end)
        assert all(first.end <= second.start for first, second in pairwise(words))
        assert all(word.stable for word in words)


def test_words_are_those_of_the_text(streamed: list[SessionUpdate]) -> None:
    """In partials and finals a word is what stands between two spaces of the text, and has some length."""
    for segment in (update.segment for update in streamed if isinstance(update, Partial | Final)):
        words = segment.words
        assert [word.text for word in words] == segment.text.split()
        assert all(word.start < word.end for word in words)


def test_stable_words_stay_until_the_final(streamed: list[SessionUpdate]) -> None:
    """A partial keeps all words that were stable in the one before it."""
    shown: list[str] = []
    shown_count = 0
    for update in streamed:
        if isinstance(update, Partial):
            words = [word.text for word in update.segment.words]
            assert words[: len(shown)] == shown
            shown = [word.text for word in update.segment.words if word.stable]
            shown_count += len(shown)
        elif isinstance(update, Final):
            shown = []
    assert shown_count > 0


def test_partials_can_be_switched_off(streamed: list[SessionUpdate], caller: Caller, speech: Samples) -> None:
    """Without interim results a session gives no partial, and the same finals."""
    quiet = caller.stream(speech, SessionOptions(ENGLISH, interim_results=False))
    assert partials_of(quiet) == []
    assert finals_of(quiet) == finals_of(streamed)


def test_words_can_be_left_out(caller: Caller, speech: Samples) -> None:
    """Without word timestamps the segments have text and no words."""
    updates = caller.stream(speech, SessionOptions(RecognitionOptions("en", word_timestamps=False)))
    segments = [update.segment for update in updates if isinstance(update, Final | Partial)]
    assert all(segment.text and not segment.words for segment in segments)


def test_finals_do_not_depend_on_the_size_of_calls(
    streamed: list[SessionUpdate], caller: Caller, speech: Samples
) -> None:
    """A session that gets all its audio in one call gives the same finals as one that gets it in steps."""
    session = caller.open()
    updates = [*session.advance(speech), *session.finalize()]
    assert finals_of(updates) == finals_of(streamed)
    assert partials_of(updates) == []


def test_samples_are_numbered_from_the_start(streamed: list[SessionUpdate], caller: Caller, speech: Samples) -> None:
    """A session that starts at a later sample gives the same finals, later by that offset."""
    start = 1_600_000
    near = finals_of(streamed)
    far = finals_of(caller.stream(speech, start=start))
    assert text_of(far) == text_of(near)
    assert [final.resume_at - start for final in far] == [final.resume_at for final in near]
    assert [final.segment.start - start for final in far] == [final.segment.start for final in near]


def test_advancing_by_nothing_changes_nothing(streamed: list[SessionUpdate], caller: Caller, speech: Samples) -> None:
    """Calls without samples do not change the updates."""
    session = caller.open()
    updates: list[SessionUpdate] = []
    for start in range(0, len(speech), STEP):
        updates += session.advance(NOTHING)
        updates += session.advance(speech[start : start + STEP])
    updates += session.finalize()
    assert updates == [update for update in streamed if not isinstance(update, Partial)]


def test_finalizing_an_empty_session_is_harmless(caller: Caller) -> None:
    """A session without audio answers each finalize with the same UtteranceEnd and no final."""
    session = caller.open(OPTIONS, 320)
    assert session.finalize() == session.finalize() == [UtteranceEnd(320)]


def test_a_session_continues_after_a_finalize(
    caller: Caller, speech: Samples, error_rate: WordErrorRate, error_rate_max: float
) -> None:
    """Finalizing in mid-speech makes the words so far final; those that follow come in later finals."""
    session = caller.open()
    third = len(speech) // 3
    caller.feed(session, speech[:third])
    early = session.finalize()
    assert len(finals_of(early)) == 1
    assert isinstance(early[-1], UtteranceEnd)
    assert session.finalize() == early[-1:]
    late = [*caller.feed(session, speech[third:]), *session.finalize()]
    assert finals_of(late)[0].segment.start >= early[-1].at
    # a word that was split may be recognized as two others
    allowed = error_rate_max and error_rate_max + 0.1
    assert error_rate(text_of([*finals_of(early), *finals_of(late)])) <= allowed


def test_finalizing_over_and_over_is_harmless(caller: Caller, speech: Samples) -> None:
    """Finalizing after every few samples gives an UtteranceEnd each time, and finals that do not overlap."""
    session = caller.open()
    updates: list[SessionUpdate] = []
    for start in range(16_000, 40_000, 1_000):
        updates += session.advance(speech[start : start + 1_000])
        updates += session.finalize()
        assert isinstance(updates[-1], UtteranceEnd)
    finals = finals_of(updates)
    assert all(first.resume_at <= second.segment.start for first, second in pairwise(finals))


@pytest.mark.parametrize("level", [0.0, 0.01])
def test_silence_and_noise_give_no_updates(caller: Caller, speech: Samples, level: float) -> None:
    """Twenty seconds without speech give no update."""
    noise = np.random.default_rng(1).normal(0, 1, 320_000).astype(np.float32) * np.float32(level)
    assert caller.feed(caller.open(), noise) == []


def test_a_long_utterance_is_split_without_losing_words(
    caller: Caller, speech: Samples, error_rate: WordErrorRate, error_rate_max: float
) -> None:
    """Speech without a pause is committed in finals within the limit of an utterance, with all its words."""
    options = SessionOptions(ENGLISH, Endpointing(silence_ms=1_500, utterance_seconds_max=3.0))
    finals = finals_of(caller.stream(speech, options))
    assert len(finals) >= 3
    assert all(final.segment.end - final.segment.start <= 3.1 * 16_000 for final in finals)
    # the words beside a split have less context than without it
    allowed = error_rate_max and error_rate_max + 0.1
    assert error_rate(text_of(finals)) <= allowed


def test_another_session_can_take_over_after_a_final(
    caller: Caller, speech: Samples, error_rate: WordErrorRate, error_rate_max: float
) -> None:
    """A new session that starts at a final's `resume_at` gives the missing words, and none twice."""
    options = SessionOptions(ENGLISH, Endpointing(utterance_seconds_max=5.0))
    first = finals_of(caller.stream(speech, options))[0]
    rest = finals_of(caller.stream(speech[first.resume_at :], options, start=first.resume_at))
    assert rest[0].segment.start >= first.resume_at
    assert error_rate(text_of([first, *rest])) <= error_rate_max


def test_sessions_run_side_by_side(caller: Caller, streamed: list[SessionUpdate], speech: Samples) -> None:
    """Sessions on several threads do not affect each other."""
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda _: finals_of(caller.stream(speech)), range(3)))
    assert together == [finals_of(streamed)] * 3


def test_another_session_can_take_over_at_the_checkpoint(caller: Caller, speech: Samples) -> None:
    """A new session that starts at a session's `checkpoint_sample` gives the missing words, and none twice."""
    options = SessionOptions(ENGLISH, Endpointing(utterance_seconds_max=5.0))
    session, updates, settled = caller.open(options, 0), [], 0
    for start in range(0, len(speech) // 2, STEP):
        updates += [*caller.feed(session, speech[start : start + STEP]), *session.advance(NOTHING)]
        assert session.checkpoint_sample >= settled
        settled = session.checkpoint_sample
    caller.answered(session)
    updates += session.advance(NOTHING)
    settled = session.checkpoint_sample
    last = finals_of(updates)[-1]
    spoken = last.context if settled < last.resume_at else None
    assert spoken is None or spoken.start == settled
    rest = caller.stream(speech[settled:], options, settled, spoken)
    whole = caller.stream(speech, options)
    assert text_of([*finals_of(updates), *finals_of(rest)]) == text_of(finals_of(whole))


def test_a_long_silence_moves_the_checkpoint_past_the_last_final(caller: Caller, speech: Samples) -> None:
    """After ten seconds of silence a session needs no audio of the last final as context."""
    session = caller.open()
    last = finals_of([*session.advance(speech), *session.finalize()])[-1]
    session.advance(np.zeros(10 * 16_000, np.float32))
    assert session.checkpoint_sample > last.resume_at


def test_options_change_from_the_next_sample_on(caller: Caller, speech: Samples) -> None:
    """Endpointing that is changed in mid-session has effect from then on; a refused change has none."""
    session = caller.open(SessionOptions(ENGLISH, Endpointing(utterance_seconds_max=25.0)), 0)
    with pytest.raises(UnsupportedLanguage, match="xx"):
        session.configure(RecognitionOptions("xx"), Endpointing(utterance_seconds_max=1.0))
    session.configure(ENGLISH, Endpointing(silence_ms=1_500, utterance_seconds_max=3.0))
    finals = finals_of([*caller.feed(session, speech), *session.finalize()])
    assert all(final.segment.end - final.segment.start <= 3.1 * 16_000 for final in finals)


def test_frozen_words_are_in_the_final(caller: Caller, speech: Samples) -> None:
    """With `freeze_stable` a final begins with the stable words of the partial before it, unchanged."""
    updates = caller.stream(speech, SessionOptions(ENGLISH, Endpointing(silence_ms=1_500), freeze_stable=True))
    stable: list[str] = []
    checked = 0
    for update in updates:
        if isinstance(update, Partial):
            stable = [word.text for word in update.segment.words if word.stable]
        elif isinstance(update, Final):
            assert [word.text for word in update.segment.words][: len(stable)] == stable
            checked += len(stable)
            stable = []
    assert checked > 0


def test_a_language_outside_the_capabilities_is_refused(caller: Caller) -> None:
    """Such a language raises UnsupportedLanguage when a session is opened."""
    with pytest.raises(UnsupportedLanguage, match="xx"):
        caller.open(SessionOptions(RecognitionOptions("xx")), 0)


def test_a_batch_of_partials_equals_partials_decoded_alone(caller: Caller, engine: Engine, speech: Samples) -> None:
    """Each session of a batch gets the partial that it would get alone; one without new audio gets none."""

    def session_after(seconds: float) -> EngineSession:
        session = caller.open()
        session.advance(speech[: round(16_000 * seconds)])
        caller.answered(session)
        return session

    lengths = (3.0, 4.5, 0.0, 3.0)
    alone = [partials_of(session_after(seconds).decode_partial()) for seconds in lengths]
    batched = [
        partials_of(updates) for updates in engine.decode_partials([session_after(seconds) for seconds in lengths])
    ]
    assert [len(partials) for partials in batched] == [1, 1, 0, 1]
    words = [[plain(partials) for partials in side] for side in (alone, batched)]
    assert words[0] == words[1]
