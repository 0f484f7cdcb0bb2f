"""Two workers of one engine and model with different capabilities: each claims only requests that it can serve."""

import threading
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.transcriber.conftest import Jobs, Start, recording
from tests.integration.transcriber.live_session import Session, numbered, words
from tests.integration.transcriber.transcripts import words_stored
from tiro.transcription.v1.transcription_pb2 import Transcription, TranscriptionOptions
from tiro_core.errors import from_status, reason_name
from tiro_core.messaging.connection import Bus
from tiro_engines.fake import FakeEngineType
from tiro_engines.fake.engine import FakeEngine
from tiro_engines.fake.markers import encode
from tiro_engines.fake.session import FakeSession
from tiro_engines.interface import (
    Capability,
    CommittedContext,
    EngineRefused,
    EngineSettings,
    EngineType,
    RecognitionOptions,
    Segment,
    SessionOptions,
    Window,
    WindowResult,
)
from tiro_transcriber import worker
from tiro_transcriber.engine import choice

StartUnlike = Callable[..., Awaitable[None]]

JOBS = 20
SESSIONS = 8


class LimitedEngine(FakeEngine):
    """A fake engine with some languages and regions, which refuses others as real engines do."""

    def __init__(self, languages: Collection[str], regions: Collection[str]) -> None:
        super().__init__("markers", frozenset(languages))
        features = self.capabilities.features - {Capability.CAPABILITY_LANGUAGE_DETECTION}
        self.capabilities = replace(self.capabilities, features=features, regions=frozenset(regions))

    def transcribe(
        self, window: Window, options: RecognitionOptions, emit: Callable[[Segment], None], cancelled: threading.Event
    ) -> WindowResult:
        """Transcribe, if the region is allowed."""
        self._require_region(options)
        return super().transcribe(window, options, emit, cancelled)

    def open_session(self, options: SessionOptions, start: int, context: CommittedContext | None = None) -> FakeSession:
        """Open a session, if the region is allowed."""
        self._require_region(options.recognition)
        return super().open_session(options, start, context)

    def _require_region(self, options: RecognitionOptions) -> None:
        if options.region and options.region not in self.capabilities.regions:
            raise EngineRefused(f"not allowed the region {options.region!r}")


class LimitedEngineType(FakeEngineType):
    """The type of `LimitedEngine`."""

    def __init__(self, languages: Collection[str], regions: Collection[str]) -> None:
        self._languages = languages
        self._regions = regions

    def load(self, model: str, settings: EngineSettings) -> FakeEngine:
        """Load the engine."""
        return LimitedEngine(self._languages, self._regions)


FINNISH, ENGLISH = LimitedEngineType({"fi"}, set()), LimitedEngineType({"en"}, set())
EUROPE, AMERICA = LimitedEngineType({"en"}, {"eu-north-1"}), LimitedEngineType({"en"}, {"us-east-1"})
Request = tuple[str, str]
"""Language and region of a request."""
UNLIKE = pytest.mark.parametrize(
    ("kinds", "asked"),
    [((FINNISH, ENGLISH), (("fi", ""), ("en", ""))), ((EUROPE, AMERICA), (("", "eu-north-1"), ("", "us-east-1")))],
    ids=["languages", "regions"],
)
"""Two workers, and a request for each of them."""


@pytest.fixture
def start_unlike(start_worker: Start, monkeypatch: pytest.MonkeyPatch) -> StartUnlike:
    """A function that starts a worker of each kind."""

    async def start(*kinds: EngineType) -> None:
        waiting = iter(kinds)
        monkeypatch.setattr(choice, "find_engine", lambda _: next(waiting))
        for _ in kinds:
            await start_worker()

    return start


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that do not wait for more suitable ones."""
    monkeypatch.setattr(worker, "JOB_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(worker, "SESSION_PATIENCE_SECONDS", 0.0)


@UNLIKE
async def test_each_job_goes_to_a_worker_that_can_serve_it(
    jobs: Jobs, start_unlike: StartUnlike, kinds: Sequence[EngineType], asked: Sequence[Request]
) -> None:
    """Of jobs for either worker all succeed in their first attempt, each on the suitable worker."""
    await start_unlike(*kinds)
    submitted = []
    for number in range(JOBS):
        language, region = asked[number % 2]
        submitted.append(await jobs.submit(recording([number]), language=language, region=region))
    for number, job in enumerate(submitted):
        await jobs.events(job)
        record = await jobs.record(job)
        assert record.state == Transcription.STATE_SUCCEEDED, record.error
        assert len(record.attempts) == 1
        assert await words_stored(jobs, record) == [f"w{number}"]
    by_worker = {
        worker_id: {number % 2 for number, job in enumerate(submitted) if await owner_of(jobs, job) == worker_id}
        for worker_id in {await owner_of(jobs, job) for job in submitted}
    }
    assert sorted(map(sorted, by_worker.values())) == [[0], [1]], "a worker has claimed a job that it cannot serve"


async def owner_of(jobs: Jobs, job: str) -> str:
    """The worker of a job's last attempt."""
    return (await jobs.record(job)).attempts[-1].worker_id


@UNLIKE
async def test_each_session_goes_to_a_worker_that_can_serve_it(
    bus: Bus, tenant: str, start_unlike: StartUnlike, kinds: Sequence[EngineType], asked: Sequence[Request]
) -> None:
    """Of sessions for either worker all are transcribed to their end."""
    await start_unlike(*kinds)
    sessions = [Session(bus, tenant) for _ in range(SESSIONS)]
    for number, session in enumerate(sessions):
        language, region = asked[number % 2]
        await session.open(language=language, region=region)
        await session.send(encode(range(number, number + 3)))
        await session.end()
    for number, session in enumerate(sessions):
        events = await session.events()
        assert not events[-1].ended.HasField("error"), events[-1].ended.error
        assert words(events) == numbered(number, number + 3)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"language": "fi"}, "UNSUPPORTED_LANGUAGE"),
        ({"region": "eu-north-1"}, "REGION_NOT_ALLOWED"),
        ({"options": TranscriptionOptions(beam_size=3)}, "UNSUPPORTED_OPTION"),
    ],
)
async def test_a_job_that_no_live_worker_can_serve_fails_with_the_reason(
    jobs: Jobs, start_unlike: StartUnlike, asked: dict[str, Any], reason: str
) -> None:
    """The job fails in its first attempt with the reason, not with a fault of the engine."""
    await start_unlike(ENGLISH)
    job = await jobs.submit(recording(range(3)), **asked)
    await jobs.events(job)
    record = await jobs.record(job)
    assert record.state == Transcription.STATE_FAILED
    assert reason_name(from_status(record.error).reason) == reason
    assert len(record.attempts) == 1


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("asked", "reason"),
    [({"language": "fi"}, "UNSUPPORTED_LANGUAGE"), ({"region": "eu-north-1"}, "REGION_NOT_ALLOWED")],
)
async def test_a_session_that_no_live_worker_can_serve_ends_with_the_reason(
    bus: Bus, tenant: str, start_unlike: StartUnlike, asked: dict[str, Any], reason: str
) -> None:
    """The session ends with the reason, not with a fault of the engine."""
    await start_unlike(ENGLISH)
    session = Session(bus, tenant)
    await session.open(**asked)
    events = await session.events()
    assert reason_name(from_status(events[-1].ended.error).reason) == reason
