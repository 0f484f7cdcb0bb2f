"""Live streams through the whole system, on one machine, at natural pace: `make bench-live`.

Each stream plays the same recording in frames of 100 ms. Word latency: when a word first shows in a partial or final
and stays, minus when its last sample was sent. Word times come from a file (`--words`), or from the same model over
the whole recording.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from faster_whisper import decode_audio

from benchmarks.live_load import FRAME_SECONDS, RATE
from benchmarks.manifest import word_error_rate
from benchmarks.processes import Usage, usage_below
from benchmarks.report import machine, record, table
from benchmarks.shown import ShownWord, Utterance, matching
from deploy.local.stack import BIN, MODELS, ROOT, environment, running_stack, wait_ready
from tiro_transcriber.engines.interface import EngineSettings, RecognitionOptions, Window
from tiro_transcriber.engines.registry import find_engine

ENGINE = "faster-whisper"
STAGGER_SECONDS = 5.0
"""Streams begin within so long, so that their words do not all fall together."""
LOST_WORDS_MAX = 0.1
"""A stream whose final text lacks more of the words than this is not complete."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What is said in the recording, and when each word ends, in seconds."""

    text: str
    words: list[ShownWord]


@dataclass(slots=True)
class Measured:
    """What came of one number of streams."""

    streams: int
    audio_seconds: float
    shown: list[float] = field(default_factory=list)
    stable: list[float] = field(default_factory=list)
    first_text: list[float] = field(default_factory=list)
    last_final: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    incomplete: int = 0
    refused: list[str] = field(default_factory=list)
    lag_max: float = 0.0
    stable_words: int = 0
    changed_words: int = 0
    cpu: dict[str, float] = field(default_factory=dict)
    resident: dict[str, int] = field(default_factory=dict)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", nargs="?", type=Path, default=ROOT / "samples" / "panel.ogg")
    parser.add_argument("--words", type=Path, help='JSON with {"words": [[text, start, end], ...]} of the recording')
    parser.add_argument("--streams", default="1,8,16,24", help="numbers of streams, one run each")
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--times", type=int, default=1, help="play the recording so often in a row")
    parser.add_argument("--record", default="", help="write the table to docs/benchmarks.md under this name")
    arguments = parser.parse_args()
    subprocess.run([BIN / "tiro", "models", "pull", arguments.model, "--models-dir", str(MODELS)], check=True)
    reference = _reference(arguments.recording, arguments.words, arguments.model)
    ladder = [int(number) for number in arguments.streams.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        pcm = Path(folder) / "recording.pcm"
        samples = decode_audio(str(arguments.recording), sampling_rate=RATE)
        pcm.write_bytes((samples * 32767).astype("<i2").tobytes())
        measured = [_measure(Path(folder) / str(streams), pcm, streams, reference, arguments) for streams in ladder]
    body = _tables(measured, reference, arguments.times)
    print(machine(), body, sep="\n\n")
    if arguments.record:
        name = f"{arguments.recording.name}, {len(samples) / RATE:.0f} s, {arguments.model}, frames of 100 ms."
        record(arguments.record, f"{name}\n\n{body}")


def _reference(recording: Path, words: Path | None, model: str) -> Reference:
    if words is not None:
        entries = json.loads(words.read_text())["words"]
        found = [ShownWord(text, float(start), float(end), stable=True) for text, start, end in entries]
        return Reference(" ".join(word.text for word in found), found)
    settings = EngineSettings(models_dir=str(MODELS), device="cpu", threads=2, parallel=1)
    engine = find_engine(ENGINE).load(model, settings)
    found = []
    engine.transcribe(
        Window(decode_audio(str(recording), sampling_rate=RATE), 0),
        RecognitionOptions("en"),
        lambda segment: found.extend(
            ShownWord(word.text, word.start / RATE, word.end / RATE, stable=True) for word in segment.words
        ),
        Event(),
    )
    engine.close()
    return Reference(" ".join(word.text for word in found), found)


def _measure(folder: Path, pcm: Path, streams: int, reference: Reference, asked: argparse.Namespace) -> Measured:
    """One number of streams, in a deployment of its own."""
    settings = {
        **environment(folder, any_ports=True),
        "TIRO_MODEL": asked.model,
        "TIRO_DEFAULT_MODEL": asked.model,
        "TIRO_JOB_SLOTS": "0",
    }
    print(f"{streams} streams", file=sys.stderr)
    with running_stack(settings) as supervisor:
        wait_ready(settings, supervisor, lambda _: None)
        before = usage_below(supervisor.pid)
        answer = _play(settings, pcm, streams, asked.model, asked.times)
        after = usage_below(supervisor.pid)
    seconds = asked.times * pcm.stat().st_size / 2 / RATE
    measured = Measured(streams, streams * seconds)
    for stream in answer["streams"]:
        _count(stream, reference, asked.times, measured)
    nothing = Usage(0.0, 0)
    measured.cpu = {name: used.cpu_seconds - before.get(name, nothing).cpu_seconds for name, used in after.items()}
    measured.cpu["load"] = answer["cpu_seconds"]
    measured.resident = {name: used.resident_bytes for name, used in after.items()}
    return measured


def _play(settings: Mapping[str, str], pcm: Path, streams: int, model: str, times: int) -> dict[str, Any]:
    task = {
        "address": settings["TIRO_STREAMING_ADDRESS"],
        "pcm": str(pcm),
        "streams": streams,
        "engine": ENGINE,
        "model": model,
        "times": times,
        "stagger_seconds": STAGGER_SECONDS,
    }
    command = [sys.executable, "-m", "benchmarks.live_load"]
    done = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(f"bench-live: the load generator failed:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _count(stream: dict[str, Any], reference: Reference, times: int, measured: Measured) -> None:
    """Add one stream to what was measured."""
    if stream["error"]:
        measured.refused.append(stream["error"])
        return
    utterance, finals, told = Utterance(), [], []
    first_at = last_at = 0.0
    for at, kind, what in stream["events"]:
        if kind == "lag":
            measured.lag_max = max(measured.lag_max, what)
        elif kind in {"partial", "final"}:
            words = [ShownWord(*word) for word in what]
            first_at = first_at or (at if words else 0.0)
            if kind == "partial":
                utterance.show(at, words)
            else:
                last_at = at
                finals += words
                told += utterance.settle(at, words)
    measured.stable_words += utterance.stable
    measured.changed_words += utterance.changed
    measured.texts.append(" ".join(word.text for word in finals))
    said = _said(reference, times, measured.audio_seconds / measured.streams / times)
    found = matching([word.text for word in said], [one.word.text for one in told])
    measured.incomplete += len(found) < (1 - LOST_WORDS_MAX) * len(said)
    begun = stream["begun"]
    for ours, theirs in found.items():
        sent_at = begun + math.ceil(said[ours].end / FRAME_SECONDS - 1e-6) * FRAME_SECONDS
        measured.shown.append(told[theirs].shown_at - sent_at)
        measured.stable.append(told[theirs].stable_at - sent_at)
    measured.first_text.append(first_at - begun - said[0].start)
    measured.last_final.append(max(0.0, last_at - stream["half_closed"]))


def _said(reference: Reference, times: int, seconds: float) -> list[ShownWord]:
    return [
        ShownWord(word.text, word.start + turn * seconds, word.end + turn * seconds, stable=True)
        for turn in range(times)
        for word in reference.words
    ]


def _tables(measured: Sequence[Measured], reference: Reference, times: int) -> str:
    def two(values: Sequence[float]) -> str:
        return f"{np.percentile(values, 50):.2f} / {np.percentile(values, 95):.2f}" if values else "-"

    whole = " ".join([reference.text] * times)
    rows = [
        [
            one.streams,
            two(one.shown),
            two(one.stable),
            two(one.first_text),
            two(one.last_final),
            f"{100 * one.changed_words / max(1, one.stable_words):.1f} %",
            f"{100 * word_error_rate([whole] * len(one.texts), one.texts, 'en'):.1f} %" if one.texts else "-",
            f"{one.streams - one.incomplete - len(one.refused)} of {one.streams}",
            f"{one.lag_max:.1f}",
        ]
        for one in measured
    ]
    heads = [
        "streams",
        "word latency p50 / p95 (s)",
        "until stable p50 / p95 (s)",
        "first text p50 / p95 (s)",
        "last final after half-close p50 / p95 (s)",
        "stable words changed",
        "WER",
        "complete",
        "most lag (s)",
    ]
    names = ["transcriber", "streamer", "nats", "ingest", "load"]
    cpu = [
        [
            one.streams,
            *(f"{one.cpu.get(name, 0.0) / one.audio_seconds:.4f}" for name in names),
            f"{sum(one.cpu.values()) / one.audio_seconds:.4f}",
            ", ".join(f"{name} {one.resident.get(name, 0) / 2**20:.0f}" for name in names[:3]),
        ]
        for one in measured
    ]
    parts = [
        table(heads, rows),
        "CPU seconds for each second of audio, by process (load: the benchmark's own speakers), and resident MiB:",
        table(["streams", *names, "all", "MiB"], cpu),
    ]
    parts += [
        f"{one.streams} streams, refused: {'; '.join(sorted(set(one.refused)))}." for one in measured if one.refused
    ]
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
