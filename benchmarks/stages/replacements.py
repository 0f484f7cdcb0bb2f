"""The cost of replacements: opening the stage, processing a segment, and finding phrases by a regular expression."""

import argparse
import asyncio
import random
import re
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import regex

from benchmarks.shared.report import table
from tiro.speech.v1.recognition_pb2 import RecognitionConfig, Replacement
from tiro_core.routing.suitability import NO_OPTIONS
from tiro_engines.interface import Segment, Word
from tiro_transcriber.pipeline.pipeline import Pipelines
from tiro_transcriber.pipeline.replacements.stage import ReplacementsType
from tiro_transcriber.pipeline.stage_threads import open_stage_threads

PAIRS = (10, 100, 1_000)
WORDS = 30
"""The words of a segment: ten seconds of speech."""
REPETITIONS = 300
VOCABULARY = [f"word{number}" for number in range(3_000)]


def _micros(call: Callable[[], object], repetitions: int = REPETITIONS) -> float:
    """The time of a call: the fastest tenth of many, because of other load on the machine."""
    times = sorted(_seconds(call) for _ in range(repetitions))
    return 1e6 * times[repetitions // 10]


def _seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def _config(count: int) -> RecognitionConfig:
    """Phrases of one to three words."""
    pick = random.Random(count)
    phrases = [" ".join(pick.choices(VOCABULARY, k=1 + number % 3)) for number in range(count)]
    return RecognitionConfig(replacements=[Replacement(find=phrase, replace="Something Else") for phrase in phrases])


def _segment() -> Segment:
    words = random.Random(0).choices(VOCABULARY, k=WORDS)
    times = pairwise(range(0, 10 * 16_000 + 1, 10 * 16_000 // WORDS))
    timed = tuple(Word(word, start, end, 0.9) for word, (start, end) in zip(words, times, strict=False))
    return Segment(" ".join(words), 0, 10 * 16_000, timed, "en")


async def _through_threads(config: RecognitionConfig, segment: Segment) -> float:
    """A segment through a pipeline with this stage alone, in microseconds."""
    async with open_stage_threads() as threads:
        pipeline = await Pipelines(threads, [ReplacementsType()]).open(config, NO_OPTIONS)
        times = []
        for _ in range(REPETITIONS):
            begun = time.perf_counter()
            await pipeline.process(segment)
            times.append(time.perf_counter() - begun)
        return 1e6 * sorted(times)[REPETITIONS // 10]


def _row(count: int, segment: Segment) -> Sequence[object]:
    config = _config(count)
    stage = ReplacementsType().open(config, NO_OPTIONS)
    if stage is None:
        raise AssertionError("there is something to replace")
    phrases = sorted((pair.find for pair in config.replacements), key=len, reverse=True)
    alternatives = "|".join(map(re.escape, phrases))
    with_re = re.compile(rf"\b(?:{alternatives})\b", re.IGNORECASE)
    with_regex = regex.compile(rf"(?wi)\b(?:{alternatives})\b")
    return [
        count,
        f"{_micros(lambda: ReplacementsType().open(config, NO_OPTIONS), 20) / 1e3:.1f}",
        *(
            f"{micros:.0f}"
            for micros in (
                _micros(lambda: stage.process(segment, is_final=True)),
                asyncio.run(_through_threads(config, segment)),
                _micros(lambda: list(with_re.finditer(segment.text))),
                _micros(lambda: list(with_regex.finditer(segment.text))),
            )
        ),
    ]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add options of this benchmark."""
    parser.add_argument("--pairs", type=lambda text: [int(part) for part in text.split(",")], default=PAIRS)


def run(arguments: argparse.Namespace) -> str:
    """Measure, and return the table."""
    segment = _segment()
    header = [
        "pairs",
        "opening the stage (ms)",
        "a segment through the stage (µs)",
        "the same through a pipeline with its threads (µs)",
        "only finding, one `re` (µs)",
        "only finding, one `regex` with Unicode's words (µs)",
    ]
    return (
        f"A segment of {WORDS} words with their times; the fastest tenth of {REPETITIONS}. The stage replaces in text "
        "and words. The two columns on the right only find phrases, by the first alternative that matches."
        f"\n\n{table(header, [_row(count, segment) for count in arguments.pairs])}"
    )
