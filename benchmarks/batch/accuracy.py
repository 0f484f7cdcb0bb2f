"""Text of recordings, and text invented over silence: Tiro's engine against plain faster-whisper.

All in one process and in sequence, so that CPU times can be compared. Recordings are decoded in the windows of jobs:
ten minutes where they are transcribed whole, two minutes where they are split into parts.
"""

import argparse
import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel

from benchmarks.shared.decoded import decoded
from benchmarks.shared.manifest import Recording, load_manifest, load_silent, word_error_rate
from benchmarks.shared.report import table
from deploy.local.stack import BIN, MODELS
from tiro_core.audio.errors import AudioError
from tiro_core.audio.pcm import pcm16_to_float32
from tiro_engines.interface import (
    WINDOW_SECONDS_MAX,
    DecodingOptions,
    Engine,
    EngineSettings,
    RecognitionOptions,
    Samples,
    Segment,
    Window,
)
from tiro_engines.registry import find_engine
from tiro_transcriber.jobs.chunks import split

PART_SECONDS = 120
LONG_SECONDS = 60.0
BATCH_SIZE = 8
PLAIN: dict[str, Any] = {"language": "en", "beam_size": 5, "word_timestamps": True}

Transcribe = Callable[[Samples], tuple[str, int]]
"""Returns the text of a recording, and the number of texts that were left out as invented."""


@dataclass(slots=True)
class Transcribed:
    """The results of one way of transcribing."""

    texts: list[str] = field(default_factory=list)
    left_out: int = 0
    cpu_seconds: float = 0.0
    over_silence: list[str] = field(default_factory=list)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add options of this benchmark."""
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="tiny.en")


def run(arguments: argparse.Namespace) -> str:
    """Measure, and return the table."""
    recordings = load_manifest(arguments.manifest, language="en", seconds_max=7200, files_max=10_000)
    subprocess.run([BIN / "tiro", "models", "pull", arguments.model, "--models-dir", str(MODELS)], check=True)
    return _measure(arguments.model, recordings, load_silent(arguments.manifest))


def _measure(model: str, recordings: list[Recording], silent: list[Path]) -> str:
    speech = [(recording, samples) for recording in recordings if (samples := _samples(recording.path)) is not None]
    silence = [samples for path in silent if (samples := _samples(path)) is not None]
    if not speech or not silence:
        sys.exit("the manifest has no English speech, or no recording without speech")
    rows = []
    for name, transcribe in _ways(model).items():
        transcribed = _transcribe_all(transcribe, [samples for _, samples in speech], silence)
        rates = [
            word_error_rate(
                [recording.reference for (recording, _), chosen in zip(speech, mask, strict=True) if chosen],
                [text for text, chosen in zip(transcribed.texts, mask, strict=True) if chosen],
                "en",
            )
            for mask in _groups([recording for recording, _ in speech])
        ]
        print(name, [f"{100 * rate:.2f}" for rate in rates], file=sys.stderr)
        audio = sum(recording.seconds for recording, _ in speech)
        rows.append(
            [
                name,
                *[f"{100 * rate:.2f} %" for rate in rates],
                transcribed.left_out,
                f"{sum(map(bool, transcribed.over_silence))} of {len(silence)}",
                f"{transcribed.cpu_seconds / audio:.4f}",
            ]
        )
    seconds = sum(recording.seconds for recording, _ in speech)
    headers = ["", f"WER up to {LONG_SECONDS:.0f} s", "WER longer", "WER all", "texts left out of speech"]
    return "\n\n".join(
        [
            f"{model}, {len(speech)} recordings with {seconds:.0f} s of speech, {len(silence)} without any.",
            table([*headers, "without speech, with words", "CPU s per audio s"], rows),
        ]
    )


def _groups(recordings: list[Recording]) -> list[list[bool]]:
    long = [recording.seconds >= LONG_SECONDS for recording in recordings]
    return [[not is_long for is_long in long], long, [True] * len(long)]


def _samples(path: Path) -> "Samples | None":
    try:
        return decoded(path)
    except AudioError as error:
        print(f"{path.name}: {error}", file=sys.stderr)
        return None


def _transcribe_all(transcribe: Transcribe, speech: list[Samples], silence: list[Samples]) -> Transcribed:
    transcribed = Transcribed()
    begun = time.process_time()
    for samples in speech:
        text, left_out = transcribe(samples)
        transcribed.texts.append(text)
        transcribed.left_out += left_out
    transcribed.cpu_seconds = time.process_time() - begun
    transcribed.over_silence = [transcribe(samples)[0] for samples in silence]
    return transcribed


def _ways(model: str) -> dict[str, Transcribe]:
    """Ways to transcribe, by name."""
    whisper = WhisperModel(str(MODELS / model), device="cpu", compute_type="int8", cpu_threads=1)
    pipeline = BatchedInferencePipeline(whisper)
    engine = find_engine("faster-whisper").load(
        model, EngineSettings(models_dir=str(MODELS), device="cpu", threads=1, parallel=1)
    )
    alone = {**PLAIN, "condition_on_previous_text": False}
    unfiltered = DecodingOptions(filter_silence=False)
    return {
        "faster-whisper": lambda samples: _plain(whisper.transcribe(samples, vad_filter=True, **alone)),
        "faster-whisper, batched": lambda samples: _plain(pipeline.transcribe(samples, batch_size=BATCH_SIZE, **PLAIN)),
        "Tiro": lambda samples: _tiro(engine, samples, WINDOW_SECONDS_MAX),
        f"Tiro, in parts of {PART_SECONDS} s": lambda samples: _tiro(engine, samples, PART_SECONDS),
        "faster-whisper, no voice activity filter": lambda samples: _plain(whisper.transcribe(samples, **alone)),
        "Tiro, no voice activity filter": lambda samples: _tiro(engine, samples, WINDOW_SECONDS_MAX, unfiltered),
    }


def _plain(answer: tuple[Any, Any]) -> tuple[str, int]:
    return " ".join(segment.text.strip() for segment in answer[0]), 0


def _tiro(
    engine: Engine, samples: Samples, seconds_max: int, decoding: DecodingOptions | None = None
) -> tuple[str, int]:
    segments: list[Segment] = []
    left_out = 0
    options = RecognitionOptions("en", decoding=decoding or DecodingOptions())
    for window in asyncio.run(_windows(samples, seconds_max)):
        left_out += len(engine.transcribe(window, options, segments.append, threading.Event()).dropped)
    return " ".join(segment.text for segment in segments), left_out


async def _windows(samples: Samples, seconds_max: int) -> list[Window]:
    async def whole() -> AsyncIterator[Any]:
        yield (samples * 32768).astype(np.int16)

    return [Window(pcm16_to_float32(chunk.samples), chunk.offset) async for chunk in split(whole(), seconds_max)]
