"""Failures of stages, and the warnings that callers get about them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tiro.speech.v1.transcript_pb2 import (
    WARNING_REASON_STAGE_FAILED,
    Warning,  # noqa: A004 - the contract's word
)
from tiro_core.clock import duration_of
from tiro_engines.interface import SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class StageFailure:
    """The failure of a stage, which has left one or more segments unchanged."""

    stage: str
    reason: str
    """The reason, for people. It quotes nothing of the text."""
    start: int
    """The first sample of the first such segment."""
    end: int
    """The sample after the last such segment."""
    count: int = 1
    """The number of such segments."""

    def warning(self) -> Warning:
        """The warning to the caller."""
        segments = "a segment" if self.count == 1 else f"{self.count} segments"
        return Warning(
            reason=WARNING_REASON_STAGE_FAILED,
            message=f"the stage {self.stage!r} did not process {segments}: {self.reason}",
            start_offset=duration_of(self.start, SAMPLE_RATE),
            end_offset=duration_of(self.end, SAMPLE_RATE),
        )


def by_stage(failures: Iterable[StageFailure]) -> Sequence[StageFailure]:
    """One failure for each stage, over all segments that it has left unchanged."""
    merged: dict[str, StageFailure] = {}
    for failure in failures:
        first = merged.setdefault(failure.stage, failure)
        if first is not failure:
            merged[failure.stage] = replace(
                first,
                start=min(first.start, failure.start),
                end=max(first.end, failure.end),
                count=first.count + failure.count,
            )
    return list(merged.values())
