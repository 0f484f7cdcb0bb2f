"""Warnings of an engine about the options of a request, in jobs and live sessions."""

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from tests.integration.transcriber.conftest import Jobs, recording
from tests.integration.transcriber.live_session import Session
from tiro.speech.v1.transcript_pb2 import WARNING_REASON_HOTWORDS_OMITTED, WARNING_REASON_PROMPT_TRUNCATED
from tiro_core.messaging.connection import Bus
from tiro_engines.fake.engine import FakeEngine
from tiro_engines.fake.markers import encode
from tiro_engines.interface import EngineWarning, Final, RecognitionOptions, Segment, Window, WindowResult

OMITTED = EngineWarning(WARNING_REASON_HOTWORDS_OMITTED, "no room for the hotwords Tiro")
TRUNCATED = EngineWarning(WARNING_REASON_PROMPT_TRUNCATED, "only its end is used")

pytestmark = pytest.mark.usefixtures("worker")


async def test_warnings_of_a_job(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record's transcript has the reason and the message of each."""
    transcribe = FakeEngine.transcribe

    def warning(
        engine: FakeEngine,
        window: Window,
        options: RecognitionOptions,
        emit: Callable[[Segment], None],
        cancelled: threading.Event,
    ) -> WindowResult:
        return replace(transcribe(engine, window, options, emit, cancelled), warnings=(OMITTED, TRUNCATED))

    monkeypatch.setattr(FakeEngine, "transcribe", warning)
    job = await jobs.submit(recording(range(3)))
    await jobs.events(job)
    told = [(one.reason, one.message) for one in (await jobs.record(job)).transcript.warnings]
    assert told == [(one.reason, one.message) for one in (OMITTED, TRUNCATED)]


async def test_warnings_of_a_final(bus: Bus, tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event of a final has the warnings that the engine's final has."""
    monkeypatch.setattr("tiro_engines.fake.session.Final", partial(Final, warnings=(OMITTED,)))
    session = Session(bus, tenant)
    await session.open()
    await session.send(encode(range(2)))
    await session.finalize()
    await session.end()
    (final,) = [event for event in await session.events() if event.HasField("final")]
    assert [(one.reason, one.message) for one in final.warnings] == [(OMITTED.reason, OMITTED.message)]
