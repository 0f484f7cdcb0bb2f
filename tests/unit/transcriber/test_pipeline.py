"""Pipelines of stages that work, fail, and time out."""

import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

import pytest

from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.speech.v1.transcript_pb2 import WARNING_REASON_STAGE_FAILED
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.routing.suitability import NO_OPTIONS
from tiro_engines.interface import SAMPLE_RATE, Capability, DroppedText, Segment
from tiro_transcriber.pipeline import pipeline as module
from tiro_transcriber.pipeline.failures import StageFailure, by_stage
from tiro_transcriber.pipeline.pipeline import Pipeline, Pipelines
from tiro_transcriber.pipeline.stage import Stage
from tiro_transcriber.pipeline.stage_threads import THREADS, StageThreads, open_stage_threads

CONFIG = RecognitionConfig()
PRIVATE = "the patient has diabetes"


def spoken(text: str, second: int = 0) -> Segment:
    """A segment of one second."""
    return Segment(text, second * SAMPLE_RATE, (second + 1) * SAMPLE_RATE)


@dataclass
class Scripted:
    """A stage with scripted behaviour, which is also its own stage type."""

    name: str
    change: Callable[[str], str]
    opens: Callable[[], bool] = lambda: True
    threads: set[str] = field(default_factory=set)
    feature = Capability.CAPABILITY_REPLACEMENTS

    def open(self, config: RecognitionConfig, options: TranscriptionOptions) -> Stage | None:
        """See `StageType`."""
        return self if self.opens() else None

    def process(self, segment: Segment, *, is_final: bool) -> Segment:
        """See `Stage`."""
        self.threads.add(threading.current_thread().name)
        return replace(segment, text=self.change(segment.text))


def fails(text: str) -> str:
    """Raise with the text in the message, which must not be logged."""
    raise ValueError(text)


@pytest.fixture
async def threads() -> AsyncIterator[StageThreads]:
    """Threads for stages."""
    async with open_stage_threads() as threads:
        yield threads


async def opened(threads: StageThreads, *kinds: Scripted) -> Pipeline:
    """A pipeline of these stages."""
    return await Pipelines(threads, kinds).open(CONFIG, NO_OPTIONS)


async def test_stages_run_in_order_on_their_own_threads(threads: StageThreads) -> None:
    """Each stage gets the output of the one before it. A stage that the request does not need is left out."""
    first = Scripted("first", lambda text: text + " 1")
    absent = Scripted("absent", fails, opens=lambda: False)
    second = Scripted("second", lambda text: text + " 2")
    pipeline = await opened(threads, first, absent, second)
    processed = await pipeline.process(spoken("text"))
    assert (processed.segment.text, processed.failures) == ("text 1 2", ())
    partial = await pipeline.process_partial(spoken("partial"))
    assert partial is not None
    assert partial.text == "partial 1 2"
    assert threading.main_thread().name not in first.threads


async def test_a_stage_that_fails_is_skipped_with_a_warning(
    threads: StageThreads, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other stages run. The warning names stage and time, and neither it nor the log has the text."""
    pipeline = await opened(threads, Scripted("broken", fails), Scripted("other", str.upper))
    processed = await pipeline.process(spoken(PRIVATE, second=3))
    assert processed.segment.text == PRIVATE.upper()
    (failure,) = processed.failures
    warning = failure.warning()
    assert warning.reason == WARNING_REASON_STAGE_FAILED
    assert "'broken'" in warning.message
    assert (warning.start_offset.seconds, warning.end_offset.seconds) == (3, 4)
    logged = "".join(capsys.readouterr())
    assert "test_pipeline.py" in logged
    assert "diabetes" not in warning.message + logged


async def test_a_partial_that_a_stage_fails_on_is_not_shown(threads: StageThreads) -> None:
    """Its stable words might change. The next partial without a failure is shown."""
    stage = Scripted("moody", lambda text: fails(text) if "bad" in text else text.upper())
    pipeline = await opened(threads, stage)
    assert await pipeline.process_partial(spoken("bad")) is None
    good = await pipeline.process_partial(spoken("good"))
    assert good is not None
    assert good.text == "GOOD"


async def test_a_stage_that_cannot_be_opened(threads: StageThreads) -> None:
    """Each segment has a failure of the stage. Partials are shown without it, as it never changed one."""
    pipeline = await opened(threads, Scripted("closed", str.upper, opens=lambda: bool(fails("no model"))))
    processed = await pipeline.process(spoken("text"))
    assert processed.segment.text == "text"
    assert [failure.stage for failure in processed.failures] == ["closed"]
    assert await pipeline.process_partial(spoken("partial")) == spoken("partial")


async def test_a_stage_that_times_out(threads: StageThreads, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage gets no segment while its late call runs, and works again afterwards. Others do not wait for it."""
    monkeypatch.setattr(module, "SEGMENT_SECONDS_MAX", 0.05)
    release, ended = threading.Event(), threading.Event()

    def slow(text: str) -> str:
        if text == "slow":
            release.wait()
            ended.set()
        return text.upper()

    stage = Scripted("slow", slow)
    pipeline = await opened(threads, stage)
    late = await pipeline.process(spoken("slow"))
    assert late.segment.text == "slow"
    assert "longer than 0.05 s" in late.failures[0].warning().message
    while_busy = await pipeline.process(spoken("next"))
    assert while_busy.segment.text == "next"
    assert "earlier segment" in while_busy.failures[0].reason
    assert await pipeline.process_partial(spoken("partial")) is None
    other = await (await opened(threads, Scripted("other", str.upper))).process(spoken("other"))
    assert other.segment.text == "OTHER"
    call = pipeline._slots[0].late_call
    assert call is not None
    release.set()
    call.result(timeout=30)
    assert (await pipeline.process(spoken("again"))).segment.text == "AGAIN"


async def test_a_call_without_a_free_thread(threads: StageThreads, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that gets no thread in time is a failure for its segment. The stage gets the next segment."""
    monkeypatch.setattr(module, "SEGMENT_SECONDS_MAX", 0.05)
    release = threading.Event()

    def slow(text: str) -> str:
        release.wait()
        return text

    for number in range(THREADS):
        await (await opened(threads, Scripted(f"slow {number}", slow))).process(spoken("slow"))
    waiting = await opened(threads)
    pipeline = Pipeline(threads, [module._Slot("waiting", Scripted("waiting", str.upper))])
    assert (await waiting.process(spoken("none"))).failures == ()
    assert [failure.stage for failure in (await pipeline.process(spoken("text"))).failures] == ["waiting"]
    release.set()
    monkeypatch.setattr(module, "SEGMENT_SECONDS_MAX", 30)
    assert (await pipeline.process(spoken("text"))).segment.text == "TEXT"


async def test_dropped_text_is_processed_by_the_stages(threads: StageThreads) -> None:
    """Dropped text is quoted in a warning, so a stage must be able to redact it."""
    pipeline = await opened(threads, Scripted("hide", lambda text: text.replace("Smith", "[name]")))
    dropped = await pipeline.process_dropped(DroppedText("Mr Smith", 0, SAMPLE_RATE, "no speech"))
    assert dropped == DroppedText("Mr [name]", 0, SAMPLE_RATE, "no speech")


def test_failures_of_many_segments_are_merged_for_each_stage() -> None:
    """A transcript has one warning for each stage, over the times of all failures."""
    merged = by_stage(
        [
            StageFailure("a", "it failed", 20, 30),
            StageFailure("b", "it failed", 20, 30),
            StageFailure("a", "late", 5, 9),
        ]
    )
    assert merged == [StageFailure("a", "it failed", 5, 30, count=2), StageFailure("b", "it failed", 20, 30)]
    assert "2 segments" in merged[0].warning().message
