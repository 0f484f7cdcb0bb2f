"""How a final is decoded with Whisper: quickly, and where that is doubted, with more effort."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from tiro_engines.faster_whisper.live_decoder import WhisperDecoder
from tiro_engines.faster_whisper.tasks import BEHIND, CAREFUL, QUICK, Effort, Preceding, Task
from tiro_engines.faster_whisper.windows import WhisperWindows, _result
from tiro_engines.interface import RecognitionOptions
from tiro_engines.windowed.decoder import Context, Decoded, DecodedWord

SAMPLES = np.zeros(16_000, np.float32)
CONTEXT = Context(np.zeros(8_000, np.float32), "what was said")


class ScriptedWindows(WhisperWindows):
    """Is clear about what is decoded with some efforts only."""

    def __init__(self, clear: set[Effort]) -> None:
        self.clear = clear
        self.tasks: list[Task] = []

    def preceding(self, context: Context) -> Preceding:
        """Write as many tokens as there are words."""
        return Preceding(context.samples, list(range(len(context.text.split()))))

    def decode(self, tasks: Sequence[Task]) -> list[Decoded]:
        """Say a word, or nothing."""
        self.tasks += tasks
        word = DecodedWord(" word", 0, 1, 0.9)
        return [Decoded((word,) if task.effort in self.clear else (), "en") for task in tasks]


@pytest.mark.parametrize(
    ("clear", "context", "efforts"),
    [
        ({QUICK}, CONTEXT, [QUICK]),
        ({BEHIND}, CONTEXT, [QUICK, BEHIND]),
        ({CAREFUL}, CONTEXT, [QUICK, BEHIND, CAREFUL]),
        ({CAREFUL}, None, [QUICK, CAREFUL]),
        (set(), None, [QUICK, CAREFUL]),
    ],
)
def test_more_effort_is_made_where_less_is_not_clear(
    clear: set[Effort], context: Context | None, efforts: list[Effort]
) -> None:
    """The first clear text is the final; the last one is, clear or not. Only one of them hears the context."""
    windows = ScriptedWindows(clear)
    unused = cast("Any", None)
    decoder = WhisperDecoder(unused, unused, windows, RecognitionOptions("en"), lambda _: None)
    decoded = decoder.decode_final(SAMPLES, context=context)
    assert [task.effort for task in windows.tasks] == efforts
    assert [task.effort for task in windows.tasks if task.preceding] == [BEHIND] * (BEHIND in efforts)
    assert len(decoded.words) == len(clear)


def test_the_context_is_no_part_of_the_result() -> None:
    """Its words are left out, and the others are placed from where the window begins."""
    task = Task(SAMPLES, BEHIND, cast("Any", None), preceding=Preceding(CONTEXT.samples, [1, 2, 3]))
    before = DecodedWord(" what was", 0, 6_000, 0.9, (1, 2)), DecodedWord(" said", 6_000, 8_000, 0.9, (3,))
    early = DecodedWord(" then", 7_500, 9_000, 0.9, (4, 5))
    late = DecodedWord(" goes", 10_000, 12_000, 0.9, (6,))
    words = _result(task, (*before, early, late))
    assert [(word.text, word.start, word.end) for word in words] == [("then", 0, 1_000), ("goes", 2_000, 4_000)]
    assert len(task.audio) == len(SAMPLES) + 8_000
