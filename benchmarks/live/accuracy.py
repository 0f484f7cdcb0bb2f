"""Live decoding against decoding the whole file, with the same model.

A live session of the engine gets each recording in frames of 100 ms, in virtual time: no service, no network, one
thread. So accuracy, stability and cost are the engine's own. Containers are decoded as in the services: a recording
that they refuse, such as one without an audio track, has no words and is not scored. A partial is decoded every
`--interval` seconds of speech. Latencies are in audio time, without computing time.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event

import jiwer
import numpy as np
from whisper_normalizer.english import EnglishTextNormalizer

from benchmarks.live.shown_words import ShownWord, Utterance
from benchmarks.shared.decoded import decoded
from benchmarks.shared.report import table
from deploy.local.stack import MODELS, ROOT
from tiro_core.audio.errors import AudioError
from tiro_engines.interface import (
    SAMPLE_RATE,
    Endpointing,
    Engine,
    EngineSettings,
    Final,
    Partial,
    RecognitionOptions,
    Samples,
    Segment,
    SessionOptions,
    SessionUpdate,
    Window,
)
from tiro_engines.registry import find_engine

FRAME_SAMPLES = SAMPLE_RATE // 10
BLOCK_WORDS = 40
"""Words of a reference that are drawn together by the bootstrap: errors beside each other are not independent."""
DRAWS = 10_000
STRETCH_SECONDS = 5.0
"""Runs of lost or invented words that last longer than this are listed."""

NORMALIZE = EnglishTextNormalizer()


@dataclass(slots=True)
class Cost:
    """CPU seconds, and how often."""

    seconds: float = 0.0
    calls: int = 0

    def add(self, seconds: float) -> None:
        """Count one call."""
        self.seconds += seconds
        self.calls += 1


@dataclass(slots=True)
class Totals:
    """Totals over all recordings."""

    audio_seconds: float = 0.0
    listening: Cost = field(default_factory=Cost)
    partials: Cost = field(default_factory=Cost)
    finals: Cost = field(default_factory=Cost)
    stable: int = 0
    changed: int = 0
    shown_after: list[float] = field(default_factory=list)
    stable_after: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors of both ways in one block of reference words."""

    words: int
    live: int
    whole: int


def _words(segment: Segment) -> list[ShownWord]:
    return [
        ShownWord(word.text, word.start / SAMPLE_RATE, word.end / SAMPLE_RATE, word.stable) for word in segment.words
    ]


def run_session(engine: Engine, samples: Samples, options: SessionOptions, interval: float, totals: Totals) -> str:
    """Pass a recording to a live session. Returns the text of its finals."""
    session = engine.open_session(options, 0)
    utterance, finals = Utterance(), []
    due = 0.0

    def timed(call: Callable[[], list[SessionUpdate]], cost: Cost | None, now: float) -> None:
        begun = time.process_time()
        updates = call()
        seconds = time.process_time() - begun
        found = [update.segment for update in updates if isinstance(update, Final)]
        (cost or (totals.finals if found else totals.listening)).add(seconds)
        for update in updates:
            if isinstance(update, Partial):
                utterance.show(now, _words(update.segment))
        for final in found:
            finals.append(final.text)
            settled = utterance.settle(now, _words(final))
            totals.shown_after += [one.shown_at - one.word.end for one in settled]
            totals.stable_after += [one.stable_at - one.word.end for one in settled]

    for begin in range(0, len(samples), FRAME_SAMPLES):
        frame = samples[begin : begin + FRAME_SAMPLES]
        now = (begin + len(frame)) / SAMPLE_RATE
        timed(partial(session.advance, frame), None, now)
        if session.wants_partial and now >= due:
            due = now + interval
            timed(session.decode_partial, totals.partials, now)
    timed(session.finalize, None, len(samples) / SAMPLE_RATE)
    totals.audio_seconds += len(samples) / SAMPLE_RATE
    totals.stable += utterance.stable
    totals.changed += utterance.changed
    return " ".join(finals)


def run_whole(engine: Engine, samples: Samples, options: RecognitionOptions) -> str:
    """Transcribe a recording as a job would."""
    found: list[str] = []
    engine.transcribe(Window(samples, 0), options, lambda segment: found.append(segment.text), Event())
    return " ".join(found)


def errors_by_block(reference: str, live: str, whole: str) -> list[Errors]:
    """Count errors for each block of reference words. An insertion belongs to the word before it."""
    words = len(NORMALIZE(reference).split())
    counts = [_errors_by_word(reference, text, words) for text in (live, whole)]
    return [
        Errors(
            min(BLOCK_WORDS, words - begin),
            int(counts[0][begin : begin + BLOCK_WORDS].sum()),
            int(counts[1][begin : begin + BLOCK_WORDS].sum()),
        )
        for begin in range(0, words, BLOCK_WORDS)
    ]


def _errors_by_word(reference: str, hypothesis: str, words: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    counts = np.zeros(words, np.int64)
    for chunk in jiwer.process_words(NORMALIZE(reference), NORMALIZE(hypothesis)).alignments[0]:
        if chunk.type == "insert":
            counts[min(max(chunk.ref_start_idx - 1, 0), words - 1)] += chunk.hyp_end_idx - chunk.hyp_start_idx
        elif chunk.type != "equal":
            counts[chunk.ref_start_idx : chunk.ref_end_idx] += 1
    return counts


def stretches(reference: str, hypothesis: str, seconds: float) -> list[str]:
    """Runs of words lost or invented that last over `STRETCH_SECONDS` at the recording's mean rate of speech."""
    least = STRETCH_SECONDS * len(NORMALIZE(reference).split()) / seconds
    found = jiwer.process_words(NORMALIZE(reference), NORMALIZE(hypothesis))
    lost = [
        f"lost {chunk.ref_end_idx - chunk.ref_start_idx} words"
        for chunk in found.alignments[0]
        if chunk.type == "delete" and chunk.ref_end_idx - chunk.ref_start_idx > least
    ]
    return lost + [
        f"invented {chunk.hyp_end_idx - chunk.hyp_start_idx} words"
        for chunk in found.alignments[0]
        if chunk.type == "insert" and chunk.hyp_end_idx - chunk.hyp_start_idx > least
    ]


def difference(blocks: Sequence[Errors]) -> tuple[float, float, float]:
    """WER live minus WER whole, in points, with the 95 % interval of a paired bootstrap over blocks."""
    words = np.array([block.words for block in blocks])
    gaps = np.array([block.live - block.whole for block in blocks])
    drawn = np.random.default_rng(1).integers(0, len(blocks), (DRAWS, len(blocks)))
    ratios = 100 * gaps[drawn].sum(axis=1) / words[drawn].sum(axis=1)
    low, high = np.percentile(ratios, [2.5, 97.5])
    return 100 * float(gaps.sum() / words.sum()), float(low), float(high)


@dataclass(frozen=True, slots=True)
class Entry:
    """A recording of the manifest."""

    path: Path
    category: str
    reference: str
    silent: bool


def load(manifest: Path, categories: Sequence[str], files_max: int, seconds_max: float) -> list[Entry]:
    """The English recordings with a trusted reference, and those without speech."""
    found: list[Entry] = []
    for line in manifest.read_text().splitlines():
        entry = json.loads(line)
        silent = bool(entry["expect_empty"])
        scored = entry["lang"] == "en" and entry["ref_tier"] in {"gold", "known-text"}
        wanted = not categories or entry["category"] in categories
        # Without a length the file is damaged: it is decoded, or counted as refused.
        if (entry["seconds"] or 0) <= seconds_max and wanted and (silent or scored):
            found.append(Entry(manifest.parent / entry["file"], entry["category"], entry["ref"], silent))
    return found[:files_max]


@dataclass(slots=True)
class Speechless:
    """Results of the recordings without speech."""

    silent: int = 0
    """Decoded, without words."""
    refused: Counter[str] = field(default_factory=Counter)
    """Refused, by the reason that a caller gets."""
    spoke: list[str] = field(default_factory=list)
    """Names and texts of those that got words."""

    def add(self, name: str, text: str) -> None:
        """Count a decoded recording."""
        if text:
            self.spoke.append(f"{name}: {text!r}")
        else:
            self.silent += 1


def measure(engine: Engine, entries: Sequence[Entry], options: SessionOptions, interval: float) -> str:
    """Decode all recordings and build the tables."""
    totals, speechless = Totals(), Speechless()
    blocks: dict[str, list[Errors]] = {}
    torn: list[str] = []
    refused: list[str] = []
    for number, entry in enumerate(entries, start=1):
        print(f"{number}/{len(entries)} {entry.path.name}", file=sys.stderr)
        try:
            samples = decoded(entry.path)
        except AudioError as error:
            if entry.silent:
                speechless.refused[error.reason] += 1
            else:
                refused.append(f"Refused, so not scored: {entry.path.name} ({error.reason}).")
            continue
        live = run_session(engine, samples, options, interval, Totals() if entry.silent else totals)
        if entry.silent:
            speechless.add(entry.path.name, live)
            continue
        whole = run_whole(engine, samples, options.recognition)
        blocks.setdefault(entry.category, []).extend(errors_by_block(entry.reference, live, whole))
        torn += [f"{entry.path.name}: {one}" for one in stretches(entry.reference, live, len(samples) / SAMPLE_RATE)]
    parts = []
    if blocks:
        lost = f"Over {STRETCH_SECONDS:g} s lost or invented: {'; '.join(torn) or 'nothing'}."
        parts += [_accuracy(blocks), _behaviour(totals), _cost(totals), lost]
    return "\n\n".join([*parts, *refused, *_without_speech(speechless)])


def _without_speech(speechless: Speechless) -> list[str]:
    refused, spoke = speechless.refused, speechless.spoke
    count = speechless.silent + refused.total() + len(spoke)
    if not count:
        return []
    why = f" ({', '.join(sorted(refused))})" if refused else ""
    heads = ["recordings without speech", "got words", "decoded without words", "refused"]
    return [table(heads, [[count, len(spoke), speechless.silent, f"{refused.total()}{why}"]]), *spoke]


def _accuracy(blocks: dict[str, list[Errors]]) -> str:
    rows = []
    groups = {**blocks, "all": [block for group in blocks.values() for block in group]}
    for category, group in groups.items():
        words = sum(block.words for block in group)
        live, whole = (100 * sum(getattr(block, side) for block in group) / words for side in ("live", "whole"))
        gap, low, high = difference(group)
        rows.append([category, words, f"{live:.2f} %", f"{whole:.2f} %", f"{gap:+.2f} ({low:+.2f} to {high:+.2f})"])
    return table(["recordings", "words", "WER live", "WER whole file", "points between (95 %)"], rows)


def _behaviour(totals: Totals) -> str:
    def spread(values: Sequence[float]) -> list[str]:
        return [f"{np.percentile(values, 50):.2f} s", f"{np.percentile(values, 95):.2f} s"] if values else ["-", "-"]

    share = 100 * totals.changed / max(1, totals.stable)
    rows = [
        ["from the spoken word to the last change of its text", *spread(totals.shown_after)],
        ["from the spoken word to stable", *spread(totals.stable_after)],
    ]
    changed = f"Of {totals.stable} stable words the final changed {totals.changed} ({share:.1f} %)."
    return f"{table(['in audio time', 'p50', 'p95'], rows)}\n\n{changed}"


def _cost(totals: Totals) -> str:
    rows = [
        [
            name,
            cost.calls,
            f"{1000 * cost.seconds / max(1, cost.calls):.1f}",
            f"{cost.seconds / totals.audio_seconds:.4f}",
        ]
        for name, cost in (
            ("voice activity", totals.listening),
            ("partials", totals.partials),
            ("finals", totals.finals),
        )
    ]
    total = sum(cost.seconds for cost in (totals.listening, totals.partials, totals.finals))
    rows.append(["together", "", "", f"{total / totals.audio_seconds:.4f}"])
    return table(["", "calls", "CPU ms for a call", "CPU s per audio s"], rows)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add options of this benchmark."""
    parser.add_argument("manifest", nargs="?", type=Path, default=ROOT / "samples" / "MANIFEST.jsonl")
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--categories", default="", help="comma-separated; all by default")
    parser.add_argument("--interval", type=float, default=0.8, help="seconds of audio between two partials")
    parser.add_argument("--files-max", type=int, default=1000)
    parser.add_argument("--seconds-max", type=float, default=1000.0, help="leave out longer recordings")
    parser.add_argument("--silence-ms", type=int, default=Endpointing().silence_ms)
    parser.add_argument("--freeze-stable", action="store_true")


def run(arguments: argparse.Namespace) -> str:
    """Measure, and return the tables."""
    categories = [name for name in arguments.categories.split(",") if name]
    entries = load(arguments.manifest, categories, arguments.files_max, arguments.seconds_max)
    if not entries:
        sys.exit(f"no recordings to decode in {arguments.manifest}")
    settings = EngineSettings(models_dir=str(MODELS), device="cpu", threads=1, parallel=1)
    engine = find_engine("faster-whisper").load(arguments.model, settings)
    options = SessionOptions(
        RecognitionOptions(language="en"),
        Endpointing(silence_ms=arguments.silence_ms),
        freeze_stable=arguments.freeze_stable,
    )
    what = f"{arguments.model}, one thread, a partial every {arguments.interval:g} s of speech."
    return f"{what}\n\n{measure(engine, entries, options, arguments.interval)}"
