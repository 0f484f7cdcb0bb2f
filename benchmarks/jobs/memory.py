"""Memory of ingest during a large upload, and of a worker during a long recording.

A WAV file of silence is uploaded. Then a worker with the fake engine transcribes a FLAC file of word markers whole,
and a worker with a real model one of speech, whole and split into parts for its slots. No file is ever in this
process's memory. The peak of a service is the kernel's (VmHWM, reset before the measurement). A decoder lives as long
as its file: its VmHWM is polled, so its last `LOOK_SECONDS` may be missed. Memory that a decoder shares with the
template that it was forked from counts as its own.
"""

import argparse
import asyncio
import struct
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import psutil

from benchmarks.shared.decoded import decoded
from benchmarks.shared.report import table
from deploy.local.stack import MODELS, ROOT
from tests.support.stack import Stack, running_stack
from tiro_client import AsyncClient
from tiro_engines.fake.markers import encode
from tiro_engines.interface import SAMPLE_RATE
from tiro_transcriber.jobs.chunks import Pcm16

MB = 1e6
LOOK_SECONDS = 0.05
INGEST_AIM_MB = 150
WORKER_AIM_MB = 1000
WAV_RATE = 48_000
"""Two channels, so that 2 GB are shorter than the longest recording that is accepted."""
WAV_FRAME_BYTES = 4
WORDS_A_PIECE = 30
WORD_GAP_MS = 1800
"""A word every two seconds, in chunks of a minute."""
PEAK_RESET = "5"
"""Written to /proc/<pid>/clear_refs to reset VmHWM; see proc(5)."""


@dataclass
class Peak:
    """Resident bytes of a service, before and at the peak, and the peak of the decoders that it started meanwhile."""

    idle: int
    service: int = 0
    decoder: int = 0
    seconds: float = 0.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add options of this benchmark."""
    parser.add_argument("--gigabytes", type=float, default=2.0, help="size of the upload")
    parser.add_argument("--hours", type=float, default=10.0, help="length of the recording")
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--minutes", type=float, default=30.0, help="length of the recording of speech")


def run(arguments: argparse.Namespace) -> str:
    """Measure, and return the table."""
    with tempfile.TemporaryDirectory(prefix="tiro-bench-") as folder:
        rows = _measure(Path(folder), arguments.gigabytes, arguments.hours)
        rows += _measure_speech(Path(folder), arguments.model, arguments.minutes)
    head = ["", "s", "idle MB", "peak MB", "above idle MB", "aim MB", "its decoders, peak MB"]
    return f"Resident memory, one worker.\n\n{table(head, rows)}"


def _measure(folder: Path, gigabytes: float, hours: float) -> list[list[object]]:
    settings = {"TIRO_ENGINE": "fake", "TIRO_DEFAULT_ENGINE": "fake", "TIRO_SPLIT_SECONDS_MIN": "0"}
    large, long = folder / "large.wav", folder / "long.flac"
    _write_silence(large, round(gigabytes * 1e9))
    _write_flac(long, _markers(hours))
    store = folder / "nats"
    store.mkdir()
    with running_stack(store, settings) as stack:
        with _watched(stack.ingest.pid) as ingest:
            asyncio.run(_upload(stack, large))
        upload = asyncio.run(_upload(stack, long))
        with _watched(stack.transcriber.pid) as worker:
            asyncio.run(_transcribe(stack, upload))
    return [
        _row(f"ingest, {gigabytes:g} GB of WAV uploaded and probed", ingest, INGEST_AIM_MB),
        _row(f"worker, fake engine, {hours:g} h of FLAC transcribed whole", worker, WORKER_AIM_MB),
    ]


def _measure_speech(folder: Path, model: str, minutes: float) -> list[list[object]]:
    """A worker with a real model, loaded before: a recording whole, and in parts for all of its slots."""
    speech = folder / "speech.flac"
    _write_flac(speech, _speech(minutes))
    rows = []
    for how, split_seconds_min in (("whole", 0), ("in parts", 1)):
        settings = {"TIRO_MODEL": model, "TIRO_DEFAULT_MODEL": model, "TIRO_SPLIT_SECONDS_MIN": str(split_seconds_min)}
        store = folder / f"nats {how}"
        store.mkdir()
        with running_stack(store, {**settings, "TIRO_MODELS_DIR": str(MODELS)}) as stack:
            upload = asyncio.run(_upload(stack, speech))
            with _watched(stack.transcriber.pid) as worker:
                asyncio.run(_transcribe(stack, upload))
        rows.append(_row(f"worker, {model}, {minutes:g} min of FLAC transcribed {how}", worker, WORKER_AIM_MB))
    return rows


def _speech(minutes: float) -> Iterator[Pcm16]:
    """The same minute of a discussion, repeated."""
    samples = (decoded(ROOT / "samples" / "panel.ogg") * 32767).astype(np.int16)
    for _ in range(round(minutes * 60 * SAMPLE_RATE / len(samples))):
        yield samples


def _row(what: str, peak: Peak, aim: int) -> list[object]:
    sizes = (peak.idle, peak.service, peak.service - peak.idle)
    return [what, f"{peak.seconds:.0f}", *(f"{size / MB:.0f}" for size in sizes), aim, f"{peak.decoder / MB:.0f}"]


@contextmanager
def _watched(pid: int) -> Iterator[Peak]:
    """Measure a service and its decoders until the context ends."""
    service = psutil.Process(pid)
    before = set(service.children(recursive=True))
    Path(f"/proc/{pid}/clear_refs").write_text(PEAK_RESET)
    peak = Peak(service.memory_info().rss)
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            decoders = set(service.children(recursive=True)) - before
            peak.decoder = max(peak.decoder, sum(_most_resident(decoder.pid) for decoder in decoders))

    thread = threading.Thread(target=look, name="watching")
    begun = time.monotonic()
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()
    peak.seconds = time.monotonic() - begun
    peak.service = _most_resident(pid)


def _most_resident(pid: int) -> int:
    """The peak of resident bytes; 0 for a process that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


async def _upload(stack: Stack, path: Path) -> str:
    async with AsyncClient(stack.address) as client:
        return (await client.upload(path)).name


async def _transcribe(stack: Stack, upload: str) -> None:
    async with AsyncClient(stack.address) as client:
        await client.wait(await client.submit(upload))


def _write_silence(path: Path, size: int) -> None:
    """A WAV file whose samples are a hole in a sparse file: it takes no disk space."""
    data = size // WAV_FRAME_BYTES * WAV_FRAME_BYTES
    form = struct.pack("<HHIIHH", 1, 2, WAV_RATE, WAV_RATE * WAV_FRAME_BYTES, WAV_FRAME_BYTES, 16)
    head = struct.pack("<4sI4s4sI16s4sI", b"RIFF", data + 36, b"WAVE", b"fmt ", len(form), form, b"data", data)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + data)


def _markers(hours: float) -> Iterator[Pcm16]:
    """Numbered words in chunks of a minute."""
    for number in range(round(hours * 60)):
        yield encode(range(number * WORDS_A_PIECE, (number + 1) * WORDS_A_PIECE), gap_ms=WORD_GAP_MS)


def _write_flac(path: Path, pieces: Iterable[Pcm16]) -> None:
    """Encode PCM16 at `SAMPLE_RATE` piece by piece."""
    with av.open(str(path), "w", format="flac") as output:
        stream = output.add_stream("flac", rate=SAMPLE_RATE)
        if not isinstance(stream, av.AudioStream):
            raise TypeError("FFmpeg made no audio stream")
        stream.layout = "mono"
        for piece in pieces:
            frame = av.AudioFrame.from_ndarray(piece.reshape(1, -1), format="s16", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
