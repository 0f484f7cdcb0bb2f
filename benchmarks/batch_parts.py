"""Long recordings cut into parts against the same in one pass, by the word error rate: `make bench-batch-parts`.

The pieces are cut as the workers cut them, and transcribed by the same engine.
"""

import argparse
import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np

from benchmarks.decoded import decoded
from benchmarks.manifest import Recording, load_manifest, word_error_rate
from benchmarks.report import machine, record, table
from deploy.local.stack import BIN, MODELS
from tiro_core.audio.pcm import pcm16_to_float32
from tiro_transcriber.engines.interface import (
    WINDOW_SECONDS_MAX,
    Engine,
    EngineSettings,
    RecognitionOptions,
    Segment,
    Window,
)
from tiro_transcriber.engines.registry import find_engine
from tiro_transcriber.jobs.pieces import Pcm16, cut

PIECE_SECONDS = (WINDOW_SECONDS_MAX, 120, 60, 30)
"""The longest piece: one pass as jobs that are not cut have it, then parts."""
LONG_SECONDS = 300.0


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--record", action="store_true", help="write the table to docs/benchmarks.md")
    arguments = parser.parse_args()
    recordings = [
        recording
        for recording in load_manifest(arguments.manifest, language="en", seconds_max=7200, files_max=10_000)
        if recording.seconds >= LONG_SECONDS
    ]
    if not recordings:
        sys.exit(f"bench-batch-parts: no English recording of {LONG_SECONDS:.0f} s and more in {arguments.manifest}")
    subprocess.run([BIN / "tiro", "models", "pull", arguments.model, "--models-dir", str(MODELS)], check=True)
    engine = find_engine("faster-whisper").load(arguments.model, EngineSettings(models_dir=str(MODELS), device="cpu"))
    body = _measure(engine, recordings)
    print(machine())
    print(body)
    if arguments.record:
        record("Recordings cut into parts", body)


def _measure(engine: Engine, recordings: list[Recording]) -> str:
    samples = [(decoded(recording.path) * 32768).astype(np.int16) for recording in recordings]
    rows = []
    for seconds in PIECE_SECONDS:
        begun = time.perf_counter()
        counts, texts = zip(*(_transcribe(engine, pcm, seconds) for pcm in samples), strict=True)
        spent = time.perf_counter() - begun
        rates = [
            word_error_rate([recording.reference], [text], "en")
            for recording, text in zip(recordings, texts, strict=True)
        ]
        together = word_error_rate([recording.reference for recording in recordings], list(texts), "en")
        print(f"pieces of {seconds} s: {100 * together:.2f} %", file=sys.stderr)
        rates_told = [f"{100 * rate:.2f} %" for rate in (*rates, together)]
        rows.append([f"{seconds} s", sum(counts), *rates_told, f"{spent:.0f}"])
    names = [recording.path.name for recording in recordings]
    audio = sum(recording.seconds for recording in recordings)
    return "\n\n".join(
        [
            f"{engine.model.model}, {audio:.0f} s of audio, word error rate by the longest piece:",
            table(["longest piece", "pieces", *names, "together", "s"], rows),
        ]
    )


def _transcribe(engine: Engine, pcm: Pcm16, seconds: int) -> tuple[int, str]:
    """How many pieces there are of a recording, and their text."""
    pieces = asyncio.run(_cut(pcm, seconds))
    segments: list[Segment] = []
    for samples, offset in pieces:
        window = Window(pcm16_to_float32(samples), offset)
        engine.transcribe(window, RecognitionOptions("en"), segments.append, threading.Event())
    return len(pieces), " ".join(segment.text for segment in segments)


async def _cut(pcm: Pcm16, seconds: int) -> list[tuple[Pcm16, int]]:
    async def whole() -> AsyncIterator[Pcm16]:
        yield pcm

    return [(piece.samples, piece.offset) async for piece in cut(whole(), seconds)]


if __name__ == "__main__":
    main()
