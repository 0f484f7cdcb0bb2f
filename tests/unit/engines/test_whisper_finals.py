"""Finals of Whisper: decoded quickly, and with more effort if the result is withheld."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from tiro_engines.faster_whisper.batch_decoder import BatchDecoder, _of_window
from tiro_engines.faster_whisper.live_decoder import WhisperDecoder
from tiro_engines.faster_whisper.tasks import CAREFUL, QUICK, WITH_CONTEXT, DecodingTask, Effort, PrecedingFinal
from tiro_engines.interface import RecognitionOptions
from tiro_engines.windowed.decoder import DecodedWord, DecodingContext, Hypothesis

SAMPLES = np.zeros(16_000, np.float32)
CONTEXT = DecodingContext(np.zeros(8_000, np.float32), "what was said")


class ScriptedDecoder(BatchDecoder):
    """A decoder whose result is accepted for some efforts only."""

    def __init__(self, accepted: set[Effort]) -> None:
        self.accepted = accepted
        self.tasks: list[DecodingTask] = []

    def preceding_final(self, context: DecodingContext) -> PrecedingFinal:
        """Return a token for each word."""
        return PrecedingFinal(context.samples, list(range(len(context.text.split()))))

    def decode(self, tasks: Sequence[DecodingTask]) -> list[Hypothesis]:
        """Return one word for each accepted effort, else none."""
        self.tasks += tasks
        word = DecodedWord(" word", 0, 1, 0.9)
        return [Hypothesis((word,) if task.effort in self.accepted else (), "en") for task in tasks]


@pytest.mark.parametrize(
    ("accepted", "context", "efforts"),
    [
        ({QUICK}, CONTEXT, [QUICK]),
        ({WITH_CONTEXT}, CONTEXT, [QUICK, WITH_CONTEXT]),
        ({CAREFUL}, CONTEXT, [QUICK, WITH_CONTEXT, CAREFUL]),
        ({CAREFUL}, None, [QUICK, CAREFUL]),
        (set(), None, [QUICK, CAREFUL]),
    ],
)
def test_a_withheld_result_is_decoded_with_more_effort(
    accepted: set[Effort], context: DecodingContext | None, efforts: list[Effort]
) -> None:
    """The first accepted result is the final, else that of the last effort. Only WITH_CONTEXT gets the context."""
    batch_decoder = ScriptedDecoder(accepted)
    unused = cast("Any", None)
    decoder = WhisperDecoder(unused, unused, batch_decoder, RecognitionOptions("en"), lambda _: None)
    decoded = decoder.decode_final(SAMPLES, context=context)
    assert [task.effort for task in batch_decoder.tasks] == efforts
    assert [task.effort for task in batch_decoder.tasks if task.preceding] == [WITH_CONTEXT] * (WITH_CONTEXT in efforts)
    assert len(decoded.words) == len(accepted)


def test_words_of_the_context_are_not_in_the_result() -> None:
    """Words of the context are left out, and positions of the others count from the start of the window."""
    task = DecodingTask(SAMPLES, WITH_CONTEXT, cast("Any", None), preceding=PrecedingFinal(CONTEXT.samples, [1, 2, 3]))
    before = DecodedWord(" what was", 0, 6_000, 0.9, (1, 2)), DecodedWord(" said", 6_000, 8_000, 0.9, (3,))
    early = DecodedWord(" then", 7_500, 9_000, 0.9, (4, 5))
    late = DecodedWord(" goes", 10_000, 12_000, 0.9, (6,))
    words = _of_window(task, (*before, early, late))
    assert [(word.text, word.start, word.end) for word in words] == [("then", 0, 1_000), ("goes", 2_000, 4_000)]
    assert len(task.audio) == len(SAMPLES) + 8_000


def test_a_window_does_not_begin_with_a_mark() -> None:
    """Punctuation that belongs to the final before the window is left out."""
    task = DecodingTask(SAMPLES, CAREFUL, cast("Any", None))
    words = DecodedWord(" .", 0, 700, 0.9, (1,)), DecodedWord(" It's", 700, 6_000, 0.9, (2, 3))
    assert _of_window(task, words) == words[1:]
    assert _of_window(task, words[:1]) == ()
