"""How a final is decoded with Whisper: quickly, and where that is doubted, with more effort."""

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
    """Is clear about what is decoded with some efforts only."""

    def __init__(self, clear: set[Effort]) -> None:
        self.clear = clear
        self.tasks: list[DecodingTask] = []

    def preceding_final(self, context: DecodingContext) -> PrecedingFinal:
        """Write as many tokens as there are words."""
        return PrecedingFinal(context.samples, list(range(len(context.text.split()))))

    def decode(self, tasks: Sequence[DecodingTask]) -> list[Hypothesis]:
        """Say a word, or nothing."""
        self.tasks += tasks
        word = DecodedWord(" word", 0, 1, 0.9)
        return [Hypothesis((word,) if task.effort in self.clear else (), "en") for task in tasks]


@pytest.mark.parametrize(
    ("clear", "context", "efforts"),
    [
        ({QUICK}, CONTEXT, [QUICK]),
        ({WITH_CONTEXT}, CONTEXT, [QUICK, WITH_CONTEXT]),
        ({CAREFUL}, CONTEXT, [QUICK, WITH_CONTEXT, CAREFUL]),
        ({CAREFUL}, None, [QUICK, CAREFUL]),
        (set(), None, [QUICK, CAREFUL]),
    ],
)
def test_more_effort_is_made_where_less_is_not_clear(
    clear: set[Effort], context: DecodingContext | None, efforts: list[Effort]
) -> None:
    """The first clear text is the final; the last one is, clear or not. Only one of them hears the context."""
    batch_decoder = ScriptedDecoder(clear)
    unused = cast("Any", None)
    decoder = WhisperDecoder(unused, unused, batch_decoder, RecognitionOptions("en"), lambda _: None)
    decoded = decoder.decode_final(SAMPLES, context=context)
    assert [task.effort for task in batch_decoder.tasks] == efforts
    assert [task.effort for task in batch_decoder.tasks if task.preceding] == [WITH_CONTEXT] * (WITH_CONTEXT in efforts)
    assert len(decoded.words) == len(clear)


def test_the_context_is_no_part_of_the_result() -> None:
    """Its words are left out, and the others are placed from where the window begins."""
    task = DecodingTask(SAMPLES, WITH_CONTEXT, cast("Any", None), preceding=PrecedingFinal(CONTEXT.samples, [1, 2, 3]))
    before = DecodedWord(" what was", 0, 6_000, 0.9, (1, 2)), DecodedWord(" said", 6_000, 8_000, 0.9, (3,))
    early = DecodedWord(" then", 7_500, 9_000, 0.9, (4, 5))
    late = DecodedWord(" goes", 10_000, 12_000, 0.9, (6,))
    words = _of_window(task, (*before, early, late))
    assert [(word.text, word.start, word.end) for word in words] == [("then", 0, 1_000), ("goes", 2_000, 4_000)]
    assert len(task.audio) == len(SAMPLES) + 8_000
