"""What both parts of the kill benchmark show: how many kills hit whom, and the pauses."""

from collections.abc import Sequence

import numpy as np

from benchmarks.kills.killing import Killing
from benchmarks.kills.speaker import Spoken
from benchmarks.shared.report import table

TOTAL_HEADS = ["kills", "sessions", "hits", "sessions that failed"]


def totals(killing: Killing) -> list[object]:
    """How many kills, sessions, times that a session's worker was killed, and sessions that did not end in order."""
    failed = sum(bool(one.error) for one in killing.spoken)
    return [len(killing.hits), len(killing.spoken), sum(map(len, killing.hits)), failed]


def pauses(killing: Killing) -> str:
    """The pauses that clients saw, one for each session that a kill hit."""
    seen = [hit.pause for hits in killing.hits for hit in hits]
    told = [pause.told for pause in seen if pause.told is not None]
    words = [pause.words for pause in seen if pause.words is not None]
    rows = [["another worker told", *_spread(told)], ["words again", *_spread(words)]]
    return table(["pause, from the kill to", "hits", "p50 (s)", "p95 (s)", "most (s)"], rows)


def failures(sessions: Sequence[Spoken]) -> list[str]:
    """Why sessions ended that did not end in order."""
    return [f"session {one.session_id or '(never started)'}: {one.error}" for one in sessions if one.error]


def _spread(values: Sequence[float]) -> list[object]:
    if not values:
        return [0, "-", "-", "-"]
    return [len(values), *(f"{np.percentile(values, share):.2f}" for share in (50, 95, 100))]
