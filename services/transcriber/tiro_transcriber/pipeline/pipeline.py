"""The pipeline of one recording, part or live session: each text passes its stages, one after the other.

When a stage fails, the segment continues unchanged, with a warning. A call that takes too long cannot be stopped: until
it ends, its stage gets no further segments.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.logs.logger import get_logger
from tiro_engines.interface import DroppedText, Segment
from tiro_transcriber import metrics
from tiro_transcriber.pipeline.failures import StageFailure
from tiro_transcriber.pipeline.stage import Stage, StageType
from tiro_transcriber.pipeline.stage_threads import StageThreads, StageTimeout

SEGMENT_SECONDS_MAX = 5.0
"""How long a stage may take for a segment of a transcript."""
PARTIAL_SECONDS_MAX = 0.5
"""The same for a partial of a live session: about the time to the next one."""
OPEN_SECONDS_MAX = 10.0
"""How long a stage may take to open."""

T = TypeVar("T")

log = get_logger()


@dataclass(frozen=True, slots=True)
class Processed:
    """A segment that has passed all stages."""

    segment: Segment
    failures: tuple[StageFailure, ...] = ()
    """The stages that have failed on it."""


@dataclass(slots=True)
class _Slot:
    """A stage in its pipeline."""

    name: str
    stage: Stage | None
    """The stage. None where it could not be opened."""
    late_call: "Future[Any] | None" = None
    """The last call that has exceeded its time limit."""

    @property
    def is_busy(self) -> bool:
        """Whether a call that has exceeded its time limit still runs."""
        return self.late_call is not None and not self.late_call.done()


class _Failed(Exception):  # noqa: N818 - control flow of this module
    """A stage has failed; the message says why, for people."""


@dataclass(slots=True)
class Pipeline:
    """The stages of a request. Use `Pipelines.open`."""

    _threads: StageThreads
    _slots: Sequence[_Slot]
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def process(self, segment: Segment) -> Processed:
        """Process a segment of the transcript by all stages."""
        failures: list[StageFailure] = []
        async with self._turn:
            for slot in self._slots:
                try:
                    segment = await self._run(slot, segment, is_final=True)
                except _Failed as failed:
                    failures.append(StageFailure(slot.name, str(failed), segment.start, segment.end))
        return Processed(segment, tuple(failures))

    async def process_partial(self, segment: Segment) -> Segment | None:
        """Process a partial by all stages.

        Returns:
            The partial. None where a stage has failed on it: then it is not published, because a stable word would
            change, and the next partial replaces it anyway. A stage that could not be opened is skipped.
        """
        async with self._turn:
            for slot in self._slots:
                if slot.stage is None:
                    continue
                try:
                    segment = await self._run(slot, segment, is_final=False)
                except _Failed:
                    return None
        return segment

    async def process_dropped(self, dropped: DroppedText) -> DroppedText:
        """Process a text that only a warning quotes by all stages."""
        processed = await self.process(Segment(dropped.text, dropped.start, dropped.end))
        return replace(dropped, text=processed.segment.text)

    async def _run(self, slot: _Slot, segment: Segment, *, is_final: bool) -> Segment:
        stage = slot.stage
        if stage is None:
            raise _Failed("it could not be opened")
        if slot.is_busy:
            raise _Failed("it has not finished an earlier segment")
        seconds_max = SEGMENT_SECONDS_MAX if is_final else PARTIAL_SECONDS_MAX
        try:
            return await _bounded(
                self._threads, slot.name, lambda: stage.process(segment, is_final=is_final), seconds_max
            )
        except StageTimeout as late:
            slot.late_call = late.call
            raise _Failed(f"it took longer than {seconds_max:g} s") from None


class Pipelines:
    """Opens the pipelines of one worker."""

    def __init__(self, threads: StageThreads, kinds: Sequence[StageType]) -> None:
        """`kinds` are the stages of this worker, in their order."""
        self._threads = threads
        self._kinds = kinds

    async def open(self, config: RecognitionConfig, options: TranscriptionOptions) -> Pipeline:
        """The pipeline of a request. A stage that cannot be opened fails on every segment.

        Args:
            config: The config of the request.
            options: The options of a job; empty for a live session.
        """
        slots = [await self._open(kind, config, options) for kind in self._kinds]
        return Pipeline(self._threads, [slot for slot in slots if slot is not None])

    def without_stages(self) -> Pipeline:
        """A pipeline for segments that have passed their stages on another worker."""
        return Pipeline(self._threads, [])

    async def _open(self, kind: StageType, config: RecognitionConfig, options: TranscriptionOptions) -> _Slot | None:
        try:
            stage = await _bounded(self._threads, kind.name, lambda: kind.open(config, options), OPEN_SECONDS_MAX)
        except (StageTimeout, _Failed):
            return _Slot(kind.name, None)
        return _Slot(kind.name, stage) if stage is not None else None


async def _bounded(threads: StageThreads, name: str, call: Callable[[], T], seconds_max: float) -> T:
    """Run a call of a stage on a thread.

    Raises:
        StageTimeout: The call took too long.
        _Failed: The call raised an exception.
    """
    try:
        return await threads.run(call, seconds_max)
    except StageTimeout as late:
        metrics.STAGE_FAILURES.labels(name, "timeout").inc()
        log.warning("stage_late", stage=name, seconds=seconds_max, is_running=not late.call.done())
        raise
    except Exception as error:
        metrics.STAGE_FAILURES.labels(name, "failed").inc()
        # Without the message of the exception, which may quote the text.
        log.error("stage_failed", stage=name, error=type(error).__name__, at=_origin(error))  # noqa: TRY400
        raise _Failed("it failed") from error


def _origin(error: BaseException) -> str:
    """The line that raised an exception."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
