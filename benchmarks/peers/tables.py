"""The tables of the same live streams through Tiro and through WhisperLive."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.live.tables import Measured, error_rate, percentiles
from benchmarks.peers.whisperlive import versions
from benchmarks.shared.report import table

TIRO, WHISPERLIVE = "Tiro", "WhisperLive"


@dataclass(frozen=True, slots=True)
class Pair:
    """Results of the same streams through both."""

    streams: int
    tiro: Measured
    whisperlive: Measured


def tables(pairs: Sequence[Pair], text: str, threads: int) -> str:
    """Figures of both, their ratios, their CPU time, and refused streams.

    Args:
        pairs: One for each number of streams.
        text: The text of a stream.
        threads: Of WhisperLive's inference.
    """
    heads = [
        "",
        "streams",
        "word latency p50 / p95 (s)",
        "first text p50 / p95 (s)",
        "end of audio to last word, the slowest stream (s)",
        "WER",
        "complete",
        "CPU s per audio s",
    ]
    rows = [row for pair in pairs for row in _rows(pair, text)]
    how = (
        f"{versions()}; its voice activity filter on, one model for all clients, {threads} threads, defaults otherwise;"
        " its text as its own client shows it. CPU time is the server's, without the speakers; NATS counts as Tiro's."
    )
    parts = [
        how,
        table(heads, rows),
        "CPU seconds for each second of audio, by process (load: the benchmark's own speakers):",
        _costs(pairs),
        *(
            f"{pair.streams} streams, {name}: {'; '.join(sorted(set(measured.scores.refused)))}."
            for pair in pairs
            for name, measured in ((TIRO, pair.tiro), (WHISPERLIVE, pair.whisperlive))
            if measured.scores.refused
        ),
    ]
    return "\n\n".join(parts)


def _rows(pair: Pair, text: str) -> list[list[object]]:
    rows: list[list[object]] = [
        [
            name,
            pair.streams,
            percentiles(measured.scores.shown),
            percentiles(measured.scores.first_text),
            f"{max(measured.scores.last_word, default=0.0):.2f}",
            error_rate(measured.scores, text),
            f"{measured.scores.complete} of {pair.streams}",
            f"{_served(measured):.3f}",
        ]
        for name, measured in ((TIRO, pair.tiro), (WHISPERLIVE, pair.whisperlive))
    ]
    return [*rows, _ratio(pair)]


def _ratio(pair: Pair) -> list[object]:
    """The ratios of WhisperLive to Tiro."""

    def times(tiro: float, peer: float) -> str:
        return f"{peer / tiro:.1f}" if tiro > 0 else "-"

    def of(tiro: Sequence[float], peer: Sequence[float]) -> str:
        if not tiro or not peer:
            return "-"
        return " / ".join(times(float(np.percentile(tiro, at)), float(np.percentile(peer, at))) for at in (50, 95))

    ours, theirs = pair.tiro.scores, pair.whisperlive.scores
    cpu = times(_served(pair.tiro), _served(pair.whisperlive))
    shown, first = of(ours.shown, theirs.shown), of(ours.first_text, theirs.first_text)
    last = times(max(ours.last_word, default=0.0), max(theirs.last_word, default=0.0))
    return [f"{WHISPERLIVE} / {TIRO}", pair.streams, shown, first, last, "", "", cpu]


def _served(measured: Measured) -> float:
    """CPU seconds of a server for each second of audio."""
    used = sum(seconds for name, seconds in measured.cpu.items() if name != "load")
    return used / measured.audio_seconds if measured.audio_seconds else 0.0


def _costs(pairs: Sequence[Pair]) -> str:
    names = ["transcriber", "streamer", "nats", "ingest", "whisperlive", "load"]
    rows = [
        [
            name,
            pair.streams,
            *(f"{measured.cpu[part] / measured.audio_seconds:.4f}" if part in measured.cpu else "" for part in names),
        ]
        for pair in pairs
        for name, measured in ((TIRO, pair.tiro), (WHISPERLIVE, pair.whisperlive))
    ]
    return table(["", "streams", *names], rows)
