"""Words of Whisper's alignment, with the real tiny.en: any text is aligned with noise."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pytest

from deploy.local.stack import MODELS
from tiro_engines.faster_whisper.engine import FasterWhisperEngine
from tiro_engines.faster_whisper.loading import load_engine
from tiro_engines.faster_whisper.spoken_language import SpokenLanguage
from tiro_engines.faster_whisper.tasks import CAREFUL, DecodingTask, PrecedingFinal
from tiro_engines.interface import EngineSettings, Samples
from tiro_engines.windowed.decoder import DecodedWord

pytestmark = pytest.mark.xdist_group("whisper words")

NOISE: Samples = np.random.default_rng(1).normal(0, 0.1, 3 * 16_000).astype(np.float32)
TEXT = "The total is $1,200,000 and 3.5% of that, at 10.30am, from well-known www.example.com; it's info@example.com"


@pytest.fixture(scope="module")
def engine() -> Iterator[FasterWhisperEngine]:
    """The engine with tiny.en, loaded once."""
    loaded = load_engine("tiny.en", EngineSettings(models_dir=str(MODELS), device="cpu"))
    yield loaded
    loaded.close()


def tokens_of(engine: FasterWhisperEngine, text: str) -> list[int]:
    """The tokens of a text that continues another one."""
    tokens: list[int] = engine._whisper.hf_tokenizer.encode(text, add_special_tokens=False).ids
    return tokens


def aligned(
    engine: FasterWhisperEngine, tokens: list[int], prefix: Sequence[int] = (), preceding: PrecedingFinal | None = None
) -> tuple[DecodedWord, ...]:
    """The words of a text as if it had been decoded from noise."""
    language = SpokenLanguage(engine._whisper, engine._languages)
    task = DecodingTask(NOISE, CAREFUL, language, prefix=prefix, preceding=preceding)
    batch = engine._batch_decoder.generate([task])
    return engine._batch_decoder.words(batch, [tokens])[0]


def test_words_are_joined_as_the_text_joins_them(engine: FasterWhisperEngine) -> None:
    """Amounts, percentages, times and addresses are one word each, with the times of their first and last piece."""
    words = aligned(engine, tokens_of(engine, f" {TEXT}"))
    assert [word.text for word in words] == TEXT.split()
    assert [token for word in words for token in word.tokens] == tokens_of(engine, f" {TEXT}")
    assert all(first.end <= second.start for first, second in pairwise(words))


def test_no_word_is_without_length(engine: FasterWhisperEngine) -> None:
    """A text that is far too long for its audio has words of some length, inside the window."""
    words = aligned(engine, tokens_of(engine, f" {TEXT}" * 3))
    assert all(0 <= word.start < word.end <= len(NOISE) for word in words)


def test_a_window_begins_with_a_word(engine: FasterWhisperEngine) -> None:
    """A text that Whisper begins without a space does not continue the word of the window before."""
    assert aligned(engine, tokens_of(engine, "000 dollars"))[0].raw == " 000"


def test_what_is_final_or_frozen_is_not_continued(engine: FasterWhisperEngine) -> None:
    """Words before a border stay, although the text goes on without a space."""
    before, after = tokens_of(engine, " was 1,200"), tokens_of(engine, ",000 dollars")
    frozen = aligned(engine, [*before, *after], prefix=before)
    assert [word.text for word in frozen] == ["was", "1,200", ",000", "dollars"]
    final = aligned(engine, [*before, *after], preceding=PrecedingFinal(NOISE[:8_000], before))
    assert [word.text for word in final] == ["was", "1,200", ",000", "dollars"]
