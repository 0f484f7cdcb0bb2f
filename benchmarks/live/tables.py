"""The tables of the live benchmarks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.live.scoring import Scores
from benchmarks.shared.manifest import word_error_rate
from benchmarks.shared.report import table

PROCESSES = ("transcriber", "streamer", "nats", "ingest", "load")
"""Kinds of processes; load: the benchmark's own speakers."""


@dataclass(slots=True)
class Measured:
    """Results for one number of streams."""

    scores: Scores
    audio_seconds: float
    """Of all streams together."""
    cpu: Mapping[str, float] = field(default_factory=dict)
    """Seconds, by process."""
    resident: Mapping[str, int] = field(default_factory=dict)
    """Bytes, by process."""


def percentiles(values: Sequence[float]) -> str:
    """The 50th and the 95th percentile."""
    return f"{np.percentile(values, 50):.2f} / {np.percentile(values, 95):.2f}" if values else "-"


def error_rate(scores: Scores, text: str) -> str:
    """Word error rate of all streams against the text of the recording."""
    if not scores.texts:
        return "-"
    return f"{100 * word_error_rate([text] * len(scores.texts), scores.texts, 'en'):.1f} %"


def latencies(measured: Sequence[Measured], text: str) -> str:
    """Latencies of words, and completeness."""
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
    return table(heads, [_latencies_of(one.scores, text) for one in measured])


def _latencies_of(scores: Scores, text: str) -> list[object]:
    return [
        scores.streams,
        percentiles(scores.shown),
        percentiles(scores.stable),
        percentiles(scores.first_text),
        percentiles(scores.last_final),
        f"{100 * scores.changed_words / max(1, scores.stable_words):.1f} %",
        error_rate(scores, text),
        f"{scores.complete} of {scores.streams}",
        f"{scores.lag_max:.1f}",
    ]


def costs(measured: Sequence[Measured]) -> str:
    """CPU seconds for each second of audio, by process, and resident memory at the end."""
    rows = [
        [
            one.scores.streams,
            *(f"{one.cpu.get(name, 0.0) / one.audio_seconds:.4f}" for name in PROCESSES),
            f"{sum(one.cpu.values()) / one.audio_seconds:.4f}",
            ", ".join(f"{name} {one.resident.get(name, 0) / 2**20:.0f}" for name in PROCESSES[:3]),
        ]
        for one in measured
    ]
    return table(["streams", *PROCESSES, "all", "MiB"], rows)


def refusals(measured: Sequence[Measured]) -> list[str]:
    """A line for each number of streams with refused streams."""
    return [
        f"{one.scores.streams} streams, refused: {'; '.join(sorted(set(one.scores.refused)))}."
        for one in measured
        if one.scores.refused
    ]
