"""Records that a worker leaves to other workers of its model, and for how long."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.errors import TiroError
from tiro_core.messaging.mirror import Mirror
from tiro_core.routing.workers import WorkerDirectory
from tiro_engines.fake.engine import FakeEngine
from tiro_engines.interface import Capability, Feature
from tiro_transcriber.engine import suitability
from tiro_transcriber.engine.suitability import (
    WRONG_WORKER_SECONDS,
    Suitability,
    require_served,
    wrong_worker_retry,
)

PATIENCE_SECONDS = 300.0


def job(language: str, number: int = 0) -> TranscriptionRecord:
    """A job in a language."""
    config = RecognitionConfig(engine="fake", model="m", language_code=language)
    return TranscriptionRecord(tenant="acme", transcription_id=str(number), config=config)


class Workers(Mirror[WorkerRecord]):
    """A mirror whose live workers a test sets."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: list[WorkerRecord] = []

    def written_within(self, seconds: float) -> Iterator[WorkerRecord]:
        """Return the live workers."""
        return iter(self.alive)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A function that advances a fake monotonic clock."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += seconds

    return move


def worker(language: str, feature: Feature = Capability.CAPABILITY_BATCH) -> WorkerRecord:
    """A worker with one language."""
    return WorkerRecord(engine="fake", model="m", language_codes=[language], capabilities=[feature])


def of_english(workers: Workers) -> Suitability:
    """The suitability of a worker with English."""
    return Suitability(
        worker("en"),
        WorkerDirectory(workers),
        feature=Capability.CAPABILITY_BATCH,
        patience_seconds=PATIENCE_SECONDS,
    )


def test_a_job_that_a_worker_can_serve_is_not_left() -> None:
    """A worker claims a job that it can serve, whichever other workers are alive."""
    workers = Workers()
    assert not of_english(workers).leaves_to_others(job("en"))
    workers.alive = [worker("en"), worker("fi")]
    assert not of_english(workers).leaves_to_others(job("en"))


def test_a_job_that_only_another_worker_can_serve_is_left(clock: Callable[[float], None]) -> None:
    """Such a job is left to a live worker without a limit of time."""
    workers = Workers()
    workers.alive = [worker("en"), worker("fi")]
    checked = of_english(workers)
    assert checked.leaves_to_others(job("fi"))
    clock(10 * PATIENCE_SECONDS)
    assert checked.leaves_to_others(job("fi"))


def test_a_job_that_no_live_worker_can_serve_is_claimed_after_a_time(clock: Callable[[float], None]) -> None:
    """Such a job is left for `PATIENCE_SECONDS`, in which a suitable worker may return, and then claimed."""
    workers = Workers()
    workers.alive = [worker("en"), worker("fi", Capability.CAPABILITY_LIVE)]
    checked = of_english(workers)
    assert checked.leaves_to_others(job("fi"))
    clock(PATIENCE_SECONDS - 1)
    assert checked.leaves_to_others(job("fi"))
    clock(1)
    assert not checked.leaves_to_others(job("fi"))


def test_a_suitable_worker_restarts_the_time(clock: Callable[[float], None]) -> None:
    """A restart of the only suitable worker does not lead to a claim by an unsuitable one."""
    workers = Workers()
    checked = of_english(workers)
    assert checked.leaves_to_others(job("fi"))
    clock(PATIENCE_SECONDS - 1)
    workers.alive = [worker("fi")]
    assert checked.leaves_to_others(job("fi"))
    workers.alive = []
    clock(1)
    assert checked.leaves_to_others(job("fi"))


def test_the_number_of_remembered_jobs_is_limited(
    clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limit the oldest job is forgotten, and its time restarts."""
    monkeypatch.setattr(suitability, "WAITING_MAX", 2)
    checked = of_english(Workers())
    for number in range(3):
        assert checked.leaves_to_others(job("fi", number))
    clock(PATIENCE_SECONDS)
    assert [checked.leaves_to_others(job("fi", number)) for number in (1, 2, 0)] == [False, False, True]


def test_an_engine_refuses_a_job_that_it_cannot_serve() -> None:
    """A claimed job that the engine cannot serve is refused with the reason."""
    engine = FakeEngine("markers", frozenset({"en"}))
    engine.capabilities = replace(engine.capabilities, regions=frozenset({"eu-north-1"}))
    require_served(engine, TranscriptionRecord(config=RecognitionConfig(language_code="en", region="eu-north-1")))
    for config, options, reason in (
        (RecognitionConfig(language_code="fi"), None, reasons.ERROR_REASON_UNSUPPORTED_LANGUAGE),
        (RecognitionConfig(region="us-east-1"), None, reasons.ERROR_REASON_REGION_NOT_ALLOWED),
        (RecognitionConfig(), TranscriptionOptions(beam_size=2), reasons.ERROR_REASON_UNSUPPORTED_OPTION),
    ):
        with pytest.raises(TiroError) as caught:
            require_served(engine, TranscriptionRecord(config=config, options=options))
        assert caught.value.reason == reason


def test_messages_of_two_workers_do_not_stay_in_step() -> None:
    """The delays differ: with equal ones NATS could deliver each message to the wrong worker at every turn."""
    delays = [wrong_worker_retry().total_seconds() for _ in range(100)]
    assert len(set(delays)) > 1
    assert min(delays) >= 0.5 * WRONG_WORKER_SECONDS
    assert max(delays) <= 1.5 * WRONG_WORKER_SECONDS
