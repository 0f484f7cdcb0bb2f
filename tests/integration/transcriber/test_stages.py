"""Stages in jobs and live sessions: replacements, failures, and the outputs that must pass the stages."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import numpy as np
import pytest
from nats.aio.msg import Msg
from numpy.typing import NDArray

from tests.integration.transcriber.conftest import Jobs, Start, Worker, recording
from tests.integration.transcriber.live_session import Session, words
from tests.integration.transcriber.replacements import pairs
from tests.integration.transcriber.transcripts import words_published, words_stored
from tiro.events.v1.live_pb2 import LivePartial, SessionRecord
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.speech.v1.transcript_pb2 import WARNING_REASON_STAGE_FAILED
from tiro.streaming.v1.streaming_pb2 import Replacements, UpdateConfig
from tiro.transcription.v1.transcription_pb2 import Transcription, TranscriptionOptions
from tiro_core.blobs.keys import transcript_key
from tiro_core.ids import new_id
from tiro_core.jobs.event_log import JobEventLog
from tiro_core.jobs.transcript_pages import read_page
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.reading.ordered_consumer import OrderedConsumer, StreamState
from tiro_core.messaging.records import Change
from tiro_core.routing.suitability import NO_OPTIONS
from tiro_engines.fake.engine import FakeEngine
from tiro_engines.fake.markers import encode
from tiro_engines.interface import Capability, DroppedText, RecognitionOptions, Segment, Window, WindowResult
from tiro_transcriber.jobs.transcript_writer import SEGMENTS_WAITING_MAX, open_transcript_writer
from tiro_transcriber.pipeline.pipeline import Pipelines
from tiro_transcriber.pipeline.stage import Stage
from tiro_transcriber.pipeline.stage_threads import open_stage_threads

THREE = {"w1 w2": "one-two", "w4": "four and a half", "w5": "w6"}


@dataclass(frozen=True)
class Scripted:
    """A stage of every request, which is also its own stage type."""

    change: Callable[[str], str]
    name = "scripted"
    feature = Capability.CAPABILITY_REPLACEMENTS

    def open(self, config: RecognitionConfig, options: TranscriptionOptions) -> Stage:
        """See `StageType`."""
        return self

    def process(self, segment: Segment, *, is_final: bool) -> Segment:
        """See `Stage`."""
        changed = tuple(replace(word, text=self.change(word.text)) for word in segment.words)
        return replace(segment, text=self.change(segment.text), words=changed)


def hide(text: str) -> str:
    """Hide the words of the fake engine."""
    return re.sub(r"w\d+", "[hidden]", text)


def fail(text: str) -> str:
    """Fail for word 7."""
    if "w7" in text:
        raise ValueError(text)
    return text.upper()


@pytest.fixture
def stage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give workers this stage only."""
    monkeypatch.setattr("tiro_transcriber.app.STAGE_TYPES", (Scripted(request.param),))


def spoken(begin: int, end: int) -> NDArray[np.int16]:
    """Samples of words with these numbers."""
    return encode(range(begin, end))


async def everything(bus: Bus, stream: str, subject: str) -> bytes:
    """All messages on a subject, joined."""
    found = b""
    async with OrderedConsumer(bus, stream, subject) as log:
        async for entry in log:
            if isinstance(entry, StreamState):
                return found
            found += entry.data
    raise AssertionError("unreachable: a consumer does not end")


@asynccontextmanager
async def partials_of(bus: Bus, session: Session) -> AsyncIterator["asyncio.Queue[bytes]"]:
    """A queue with the partials of a session from now on."""
    found: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(message: Msg) -> None:
        found.put_nowait(message.data)

    subscription = await bus.client.subscribe(subjects.live_partial(session.tenant, session.id), cb=take)
    await bus.client.flush()
    try:
        yield found
    finally:
        await subscription.unsubscribe()


async def record_at_end(session: Session) -> SessionRecord:
    """The record of a session, once it has ended."""
    async with session.records.watch(session.key) as changes:
        async for change in changes:
            if isinstance(change, Change) and change.value and change.value.state == SessionRecord.STATE_ENDED:
                return change.value
    raise AssertionError("unreachable: a watch does not end")


@pytest.mark.usefixtures("worker")
async def test_replacements_in_a_job(jobs: Jobs) -> None:
    """Replacements are in the events and in the transcript, with the times of the replaced words."""
    job = await jobs.submit(recording(range(8)), replacements=THREE)
    events = await jobs.events(job)
    record = await jobs.record(job)
    expected = ["w0", "one-two", "w3", "four", "and", "a", "half", "w6", "w6", "w7"]
    assert record.state == Transcription.STATE_SUCCEEDED
    assert words_published(events) == expected
    assert await words_stored(jobs, record) == expected
    assert not record.transcript.warnings
    page = await read_page(jobs.blobs, record.tenant, job, epoch=record.transcript_epoch, index=0)
    spans = {
        word.text: (word.start_offset.ToMilliseconds(), word.end_offset.ToMilliseconds()) for word in page[0].words
    }
    assert spans["one-two"] == (300, 800)
    assert (spans["four"][0], spans["half"][1]) == (1200, 1400)


async def test_replacements_in_a_session(bus: Bus, tenant: str, worker: Worker) -> None:
    """Replacements are in partials and finals. A change, also to none, applies from its answer on."""
    session = Session(bus, tenant)
    await session.open(replacements={"w1 w2": "one-two"})
    async with partials_of(bus, session) as partials:
        await session.send(spoken(0, 3))
        partial = LivePartial.FromString(await partials.get())
        while "one-two" not in partial.segment.text:
            partial = LivePartial.FromString(await partials.get())
    await session.finalize()
    await session.update(UpdateConfig(replacements=Replacements(pairs=pairs({"w4": "four"}))))
    await session.send(spoken(3, 6))
    await session.finalize()
    await session.update(UpdateConfig(replacements=Replacements()))
    await session.send(spoken(6, 8))
    await session.end()
    events = await session.events()
    assert words(events) == ["w0", "one-two", "w3", "four", "w5", "w6", "w7"]
    configs = [event.config_updated.recognition for event in events if event.HasField("config_updated")]
    assert [[pair.find for pair in config.replacements] for config in configs] == [["w4"], []]


async def test_a_takeover_keeps_the_replacements(bus: Bus, tenant: str, start_worker: Start) -> None:
    """The next owner uses changed replacements, also if the change is before the checkpoint."""
    stop = await start_worker()
    session = Session(bus, tenant)
    await session.open(replacements={"w0": "zero"})
    await session.update(UpdateConfig(replacements=Replacements(pairs=pairs({"w1": "one", "w4": "four"}))))
    await session.send(spoken(0, 3))
    await session.finalize()
    await session.events(until="utterance_ended")
    await session.send(spoken(3, 4))
    await session.processed(session.sent)
    await stop()
    stored = await session.records.get(session.key)
    assert stored is not None
    assert [pair.find for pair in stored.value.checkpoint.events.config.recognition.replacements] == ["w1", "w4"]
    await start_worker()
    await session.send(spoken(4, 6))
    await session.end()
    assert words(await session.events()) == ["w0", "one", "w2", "w3", "four", "w5"]


@pytest.mark.usefixtures("stage", "worker")
@pytest.mark.parametrize("stage", [fail], indirect=True)
async def test_a_stage_that_fails_does_not_fail_the_job(jobs: Jobs) -> None:
    """Segments on which a stage fails are those of the engine, and the transcript has a warning with their times."""
    job = await jobs.submit(recording([5, 7, 9], gap_ms=1000))
    await jobs.events(job)
    record = await jobs.record(job)
    assert record.state == Transcription.STATE_SUCCEEDED
    assert await words_stored(jobs, record) == ["W5", "w7", "W9"]
    (warning,) = record.transcript.warnings
    assert warning.reason == WARNING_REASON_STAGE_FAILED
    assert (warning.start_offset.ToMilliseconds(), warning.end_offset.ToMilliseconds()) == (1200, 1400)


@pytest.mark.usefixtures("stage")
@pytest.mark.parametrize("stage", [fail], indirect=True)
async def test_a_stage_that_fails_loses_no_words_of_a_session(bus: Bus, tenant: str, worker: Worker) -> None:
    """A final on which a stage fails is that of the engine, with a warning. Other finals are processed."""
    session = Session(bus, tenant)
    await session.open()
    for number in (5, 7, 9):
        await session.send(spoken(number, number + 1))
        await session.finalize()
    await session.end()
    finals = [event for event in await session.events() if event.HasField("final")]
    assert [event.final.text for event in finals] == ["W5", "w7", "W9"]
    assert [[warning.reason for warning in event.warnings] for event in finals] == [
        [],
        [WARNING_REASON_STAGE_FAILED],
        [],
    ]


@pytest.mark.usefixtures("stage")
@pytest.mark.parametrize("stage", [hide], indirect=True)
async def test_all_text_of_a_session_passes_the_stages(bus: Bus, tenant: str, worker: Worker) -> None:
    """Partials, finals and the record have text of the stages only. The context is the engine's."""
    session = Session(bus, tenant)
    await session.open()
    async with partials_of(bus, session) as partials:
        await session.send(spoken(10, 14))
        shown = [await partials.get()]
        await session.finalize()
        await session.send(spoken(14, 18))
        await session.end()
        events = await session.events()
        record = await record_at_end(session)
        shown += [partials.get_nowait() for _ in range(partials.qsize())]
    assert words(events) == ["[hidden]"] * 8
    assert [event.context.text for event in events if event.HasField("context")] == ["w13", "w17"]
    for event in events:
        event.ClearField("context")
    left = b"".join([*shown, *(event.SerializeToString() for event in events), record.SerializeToString()])
    assert b"[hidden]" in left
    assert not re.findall(rb"w1\d", left)


@pytest.mark.usefixtures("stage", "worker")
@pytest.mark.parametrize("stage", [hide], indirect=True)
async def test_all_text_of_a_job_passes_the_stages(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events, pages, and the record with its warnings about dropped text have text of the stages only."""
    transcribe = FakeEngine.transcribe

    def dropping(
        engine: FakeEngine,
        window: Window,
        options: RecognitionOptions,
        emit: Callable[[Segment], None],
        cancelled: threading.Event,
    ) -> WindowResult:
        result = transcribe(engine, window, options, emit, cancelled)
        return replace(result, dropped=(DroppedText("w19", 0, 16_000, "no speech"),))

    monkeypatch.setattr(FakeEngine, "transcribe", dropping)
    job = await jobs.submit(recording(range(10, 18)))
    await jobs.events(job)
    record = await jobs.record(job)
    assert await words_stored(jobs, record) == ["[hidden]"] * 8
    (warning,) = record.transcript.warnings
    assert "[hidden]" in warning.message
    stored = await everything(jobs.bus, topology.JOB_EVENTS, subjects.job_events(jobs.tenant, job))
    page = await jobs.blobs.get_part(transcript_key(jobs.tenant, job, record.transcript_epoch), 0)
    left = b"".join([stored, page, record.SerializeToString()])
    assert not re.findall(rb"w1\d", left)


async def test_the_engine_waits_for_slow_stages(jobs: Jobs) -> None:
    """The number of waiting segments is limited. No segment is lost, and they stay in order."""
    begun, release = threading.Event(), threading.Event()

    def slow(text: str) -> str:
        begun.set()
        release.wait()
        return text

    record = TranscriptionRecord(tenant=jobs.tenant, transcription_id=new_id(), epoch=1)
    log = JobEventLog(jobs.bus, record.tenant, record.transcription_id)
    async with open_stage_threads() as threads:
        pipeline = await Pipelines(threads, [Scripted(slow)]).open(RecognitionConfig(), NO_OPTIONS)
        async with open_transcript_writer(jobs.blobs, log, record, pipeline) as writer:
            writer.add(Segment("0", 0, 1))
            await asyncio.to_thread(begun.wait)
            for number in range(1, SEGMENTS_WAITING_MAX + 1):
                await writer.wait_for_capacity()
                writer.add(Segment(str(number), number, number + 1))
            waiting = asyncio.create_task(writer.wait_for_capacity())
            await asyncio.sleep(0)
            assert not waiting.done()
            release.set()
            await waiting
    assert writer.segment_count == SEGMENTS_WAITING_MAX + 1
    pages = [
        await read_page(jobs.blobs, record.tenant, record.transcription_id, epoch=1, index=index) for index in range(5)
    ]
    assert [segment.text for page in pages for segment in page] == [str(n) for n in range(SEGMENTS_WAITING_MAX + 1)]
