"""Tables of both parts of the kill benchmark: kills, sessions and pauses."""

from collections.abc import Sequence

import numpy as np

from benchmarks.kills.killing import Killing
from benchmarks.kills.speaker import Spoken
from benchmarks.shared.report import table

TOTAL_HEADS = ["kills", "sessions", "hits", "sessions that failed"]


def totals(killing: Killing) -> list[object]:
    """The numbers of kills, of sessions, of hits (a session whose worker was killed), and of sessions that failed."""
    failed = sum(bool(one.error) for one in killing.spoken)
    return [len(killing.hits), len(killing.spoken), sum(map(len, killing.hits)), failed]


def pauses(killing: Killing) -> str:
    """The pauses that clients saw, one for each session that a kill hit."""
    seen = [hit.pause for hits in killing.hits for hit in hits]
    announced = [pause.announced for pause in seen if pause.announced is not None]
    words = [pause.words for pause in seen if pause.words is not None]
    rows = [["another worker (`worker_changed`)", *_spread(announced)], ["next words", *_spread(words)]]
    return table(["pause, from the kill to", "hits", "p50 (s)", "p95 (s)", "most (s)"], rows)


def failures(sessions: Sequence[Spoken]) -> list[str]:
    """The errors of sessions that failed."""
    return [f"session {one.session_id or '(never started)'}: {one.error}" for one in sessions if one.error]


def _spread(values: Sequence[float]) -> list[object]:
    if not values:
        return [0, "-", "-", "-"]
    return [len(values), *(f"{np.percentile(values, share):.2f}" for share in (50, 95, 100))]
