"""Live sessions over windows, with a decoder and a voice activity detection for word markers."""

from collections.abc import Sequence

import numpy as np
import pytest

from tiro_engines.fake.markers import MARKER_SAMPLES, SILENT_BELOW, encode, find
from tiro_engines.interface import (
    CommittedContext,
    Endpointing,
    Final,
    Partial,
    RecognitionOptions,
    Samples,
    SessionOptions,
    SessionUpdate,
    SpeechEnded,
    SpeechStarted,
    UtteranceEnd,
)
from tiro_engines.windowed.context import CONTEXT_SAMPLES_MAX, GAP_SAMPLES_KEPT
from tiro_engines.windowed.decoder import DecodedWord, DecodingContext, Hypothesis, PartialWindow
from tiro_engines.windowed.session import (
    BLOCK_SAMPLES,
    HANGOVER_SAMPLES,
    LEAD_IN_SAMPLES,
    LONG_LEAD_IN_SAMPLES,
    WindowedSession,
)

FRAME = 512


class MarkerDecoder:
    """A `WindowDecoder` that reads markers and records its calls."""

    seconds_max = 28.0

    def __init__(self) -> None:
        self.partial_windows: list[int] = []
        self.final_windows: list[int] = []
        self.before: list[int] = []
        self.prefixes: list[list[str]] = []
        self.contexts: list[DecodingContext | None] = []
        self.options = RecognitionOptions()

    def configure(self, options: RecognitionOptions) -> None:
        """Record the options."""
        self.options = options

    def decode_partial(self, window: PartialWindow) -> Hypothesis:
        """Read the markers."""
        self.partial_windows.append(len(window.samples))
        self.before.append(len(window.preceding))
        return self._decode(window.samples)

    def decode_final(
        self, samples: Samples, prefix: Sequence[DecodedWord] = (), context: DecodingContext | None = None
    ) -> Hypothesis:
        """Read the markers."""
        self.contexts.append(context)
        self.final_windows.append(len(samples))
        self.prefixes.append([word.text for word in prefix])
        return self._decode(samples)

    def _decode(self, samples: Samples) -> Hypothesis:
        words = (DecodedWord(f" w{marker.word}", marker.start, marker.end, 1.0) for marker in find(samples))
        return Hypothesis(tuple(words), "en")


class SoundActivity:
    """A `VoiceActivity` for which each sound is speech."""

    frame_samples = FRAME

    def __init__(self) -> None:
        self._rest: Samples = np.zeros(0, np.float32)

    def probabilities(self, samples: Samples) -> list[float]:
        """Return 1 for frames with sound, else 0."""
        samples = np.concatenate((self._rest, samples))
        count = len(samples) // FRAME
        self._rest = samples[count * FRAME :]
        return [float(np.abs(frame).max() > SILENT_BELOW) for frame in samples[: count * FRAME].reshape(-1, FRAME)]


def open_session(
    silence_ms: int = 500,
    utterance_seconds_max: float = 15.0,
    *,
    freeze_stable: bool = False,
    start: int = 0,
    context: CommittedContext | None = None,
) -> tuple[WindowedSession[MarkerDecoder], MarkerDecoder]:
    """Open a session with these options."""
    decoder = MarkerDecoder()
    options = SessionOptions(endpointing=Endpointing(silence_ms, utterance_seconds_max), freeze_stable=freeze_stable)
    return WindowedSession(decoder, SoundActivity(), options, start, context), decoder


def feed(session: WindowedSession[MarkerDecoder], samples: Samples, step: int = 1_600) -> list[SessionUpdate]:
    """Feed samples in steps, and decode a partial after each step."""
    updates: list[SessionUpdate] = []
    for start in range(0, len(samples), step):
        updates += [*session.advance(samples[start : start + step]), *session.decode_partial()]
    return updates


def silence(seconds: float) -> Samples:
    """Make silence."""
    return np.zeros(round(16_000 * seconds), np.float32)


def markers(words: Sequence[int], gap_ms: int = 60) -> Samples:
    """Make markers."""
    return encode(words, gap_ms=gap_ms).astype(np.float32) / np.float32(32768)


def texts(updates: Sequence[SessionUpdate]) -> list[str]:
    """The texts of the finals."""
    return [update.segment.text for update in updates if isinstance(update, Final)]


def test_updates_of_an_utterance_are_in_order() -> None:
    """The updates are SpeechStarted, partials, SpeechEnded, the final, UtteranceEnd."""
    session, _ = open_session()
    updates = feed(session, np.concatenate((silence(1), markers(range(5)), silence(1))))
    kinds = [type(update) for update in updates if not isinstance(update, Partial)]
    assert kinds == [SpeechStarted, SpeechEnded, Final, UtteranceEnd]
    assert isinstance(updates[1], Partial)
    assert texts(updates) == ["w0 w1 w2 w3 w4"]


def test_no_partial_is_decoded_in_silence() -> None:
    """A partial is decoded only while there is speech that is in no partial yet."""
    session, decoder = open_session(silence_ms=5_000)
    feed(session, np.concatenate((markers(range(10)), silence(0.1))))
    decoded = len(decoder.partial_windows)
    assert not session.wants_partial
    feed(session, silence(4))
    assert len(decoder.partial_windows) == decoded


def test_the_window_of_partials_is_limited_in_a_long_utterance() -> None:
    """Stable words leave the window that partials decode, and stay in their text."""
    session, decoder = open_session(utterance_seconds_max=25)
    updates = feed(session, markers(range(80)))
    assert max(decoder.partial_windows) <= 5 * 16_000
    assert decoder.before[-1] > 50
    last = [update for update in updates if isinstance(update, Partial)][-1]
    assert last.segment.text == " ".join(f"w{word}" for word in range(80))


def test_frozen_words_are_the_prefix_of_the_final() -> None:
    """With `freeze_stable` a final is decoded with the stable words as its prefix; without, it has no prefix."""
    frozen, decoder = open_session(freeze_stable=True)
    feed(frozen, np.concatenate((markers(range(10)), silence(1))))
    assert decoder.prefixes == [[f"w{word}" for word in range(len(decoder.prefixes[0]))]]
    assert len(decoder.prefixes[0]) > 5
    free, decoder = open_session()
    feed(free, np.concatenate((markers(range(10)), silence(1))))
    assert decoder.prefixes == [[]]


def test_the_window_is_limited_to_the_longest_utterance() -> None:
    """The memory of a session is limited for any size of a call."""
    session, decoder = open_session(utterance_seconds_max=4)
    updates = [*session.advance(markers(range(300))), *session.finalize()]
    assert max(decoder.final_windows) <= 4 * 16_000 + FRAME
    assert len(session._window._samples) <= 4 * 16_000 + BLOCK_SAMPLES
    assert " ".join(texts(updates)) == " ".join(f"w{word}" for word in range(300))


def test_silence_leaves_the_window() -> None:
    """Before speech begins only the lead-in is kept."""
    session, decoder = open_session()
    feed(session, silence(30))
    assert len(session._window._samples) < 2 * LONG_LEAD_IN_SAMPLES
    feed(session, np.concatenate((markers([1]), silence(1))))
    assert decoder.final_windows[0] <= LONG_LEAD_IN_SAMPLES + MARKER_SAMPLES + HANGOVER_SAMPLES + 2 * FRAME


@pytest.mark.parametrize(
    ("seconds", "lead_in"), [(1.5, LEAD_IN_SAMPLES), (4.0, LEAD_IN_SAMPLES), (7.0, LONG_LEAD_IN_SAMPLES)]
)
def test_more_is_kept_before_speech_that_follows_a_long_silence(seconds: float, lead_in: int) -> None:
    """Finals and partials are decoded with a longer lead-in where no final is near. So is a session's first speech."""
    session, decoder = open_session()
    three = markers([1, 2, 3], gap_ms=0)
    spoken = len(three) + HANGOVER_SAMPLES
    feed(session, np.concatenate((silence(3), three, silence(seconds), three, silence(1))))
    assert len(decoder.final_windows) == 2
    for window, expected in zip(decoder.final_windows, (LONG_LEAD_IN_SAMPLES, lead_in), strict=True):
        assert abs(window - spoken - expected) <= 2 * FRAME
    assert min(decoder.partial_windows) > lead_in


def test_a_long_utterance_is_split_at_its_longest_pause() -> None:
    """An utterance over the limit is split at the longest pause of its later part."""
    session, _ = open_session(utterance_seconds_max=4, silence_ms=900)
    parts = [markers(range(8)), silence(0.4), markers(range(8, 10)), silence(0.2), markers(range(10, 16))]
    updates = [*feed(session, np.concatenate(parts)), *session.finalize()]
    assert texts(updates)[0] == "w0 w1 w2 w3 w4 w5 w6 w7"
    assert " ".join(texts(updates)) == " ".join(f"w{word}" for word in range(16))


def test_a_split_does_not_end_the_utterance() -> None:
    """Speech that continues after a split has one SpeechStarted and one UtteranceEnd."""
    session, _ = open_session(utterance_seconds_max=2)
    updates = [*feed(session, markers(range(20))), *session.finalize()]
    assert len(texts(updates)) > 2
    assert sum(isinstance(update, SpeechStarted) for update in updates) == 1
    assert sum(isinstance(update, UtteranceEnd) for update in updates) == 1


def test_silence_after_a_split_is_not_decoded() -> None:
    """An utterance that was split in its last pause has no further final at its end."""
    session, decoder = open_session(utterance_seconds_max=3, silence_ms=2_000)
    updates = feed(session, np.concatenate((markers(range(8)), silence(4))))
    assert len(decoder.final_windows) == 1
    assert [type(update) for update in updates if not isinstance(update, Partial)] == [
        SpeechStarted,
        Final,
        SpeechEnded,
        UtteranceEnd,
    ]  # fmt: skip - one utterance on one line
    final, end = (u for u in updates if isinstance(u, Final | UtteranceEnd))
    assert isinstance(final, Final)
    assert isinstance(end, UtteranceEnd)
    assert final.resume_at <= end.at


def test_a_final_is_the_context_of_the_next_one() -> None:
    """The decoder gets the text and the audio of the last final up to the next window, with a shortened silence."""
    session, decoder = open_session()
    updates = feed(session, np.concatenate((silence(1), markers(range(4)), silence(2), markers([4]), silence(1))))
    first, second = (update for update in updates if isinstance(update, Final))
    none, context = decoder.contexts
    assert none is None
    assert context is not None
    assert first.context is not None
    assert context.text == first.context.text == first.segment.text == "w0 w1 w2 w3"
    assert len(context.samples) == first.resume_at - first.context.start + GAP_SAMPLES_KEPT
    assert [marker.word for marker in find(context.samples)] == [0, 1, 2, 3]
    assert second.context is not None
    assert session.checkpoint_sample == second.context.start


def test_only_the_end_of_a_long_final_is_context() -> None:
    """The context of a final has a limit. A long window has no context."""
    session, decoder = open_session(utterance_seconds_max=25)
    for words in (range(80), range(80, 90), range(90, 170)):
        feed(session, np.concatenate((markers(words), silence(1))))
    assert len(decoder.contexts) == 3
    assert decoder.contexts[2] is None
    context = decoder.contexts[1]
    assert context is not None
    assert len(context.samples) <= CONTEXT_SAMPLES_MAX + GAP_SAMPLES_KEPT
    spoken = [f"w{marker.word}" for marker in find(context.samples)]
    assert spoken[-1] == "w79"
    assert context.text == " ".join(spoken)


def test_after_a_long_silence_there_is_no_context() -> None:
    """A long silence drops the context, and moves the checkpoint past its audio."""
    session, decoder = open_session()
    updates = feed(session, np.concatenate((markers(range(4)), silence(7), markers([4]))))
    resumed = next(update for update in updates if isinstance(update, Final)).resume_at
    assert session.checkpoint_sample > resumed
    session.finalize()
    assert decoder.contexts == [None, None]


def test_a_session_that_is_taken_over_has_the_same_context() -> None:
    """A session that starts with context decodes it again but does not repeat its words, for any size of steps."""
    audio = np.concatenate((silence(1), markers(range(4)), silence(1), markers(range(4, 8)), silence(1)))
    session, decoder = open_session()
    first, second = (update for update in feed(session, audio) if isinstance(update, Final))
    assert first.context is not None
    start = first.context.start
    for step in (700, 1_600, len(audio)):
        other, other_decoder = open_session(start=start, context=first.context)
        assert other.checkpoint_sample == start
        updates = feed(other, audio[start:], step)
        assert [update for update in updates if isinstance(update, Final)] == [second]
        context, same = decoder.contexts[1], other_decoder.contexts[0]
        assert context is not None
        assert same is not None
        assert (same.text, len(same.samples)) == (context.text, len(context.samples))
        assert np.array_equal(same.samples, context.samples)


@pytest.mark.parametrize("seconds", [4.3, 5.1, 5.5, 6.5])
def test_a_session_that_is_taken_over_in_a_silence_has_the_same_window(seconds: float) -> None:
    """Whether the last final is near is the same for a session that starts at the checkpoint, in any silence."""
    audio = np.concatenate((silence(3), markers(range(4)), silence(seconds), markers(range(4, 8)), silence(1)))
    session, decoder = open_session()
    resumable: dict[int, CommittedContext | None] = {}
    last: CommittedContext | None = None
    for start in range(0, len(audio), 1_600):
        for update in session.advance(audio[start : start + 1_600]):
            last = update.context if isinstance(update, Final) else last
        if len(decoder.final_windows) == 1:
            at = session.checkpoint_sample
            resumable[at] = last if last is not None and at == last.start else None
    assert resumable
    for at, context in resumable.items():
        other, other_decoder = open_session(start=at, context=context)
        feed(other, audio[at:])
        assert other_decoder.final_windows == decoder.final_windows[1:]


def test_a_short_sound_is_no_speech() -> None:
    """A sound of two frames begins no utterance."""
    session, decoder = open_session()
    assert feed(session, np.concatenate((silence(1), np.ones(FRAME, np.float32), silence(1)))) == []
    assert decoder.final_windows == []


def test_sound_without_words_gives_no_final() -> None:
    """An utterance without recognized words ends without a final."""
    session, _ = open_session()
    updates = feed(session, np.concatenate((silence(1), np.ones(16_000, np.float32), silence(1))))
    assert [type(update) for update in updates] == [SpeechStarted, SpeechEnded, UtteranceEnd]
