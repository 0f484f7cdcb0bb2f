"""Amazon Transcribe as an engine of a whole deployment, with the vendor's SDK and a server of its protocol."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.e2e.live_audio import paced
from tests.e2e.speech import wav
from tests.support.stack import Stack, running_stack
from tests.support.transcribe_service.account import OTHER_REGION, engine_environment
from tests.support.transcribe_service.failures import (
    bad_request,
    expired_token,
    internal_failure,
    limit_exceeded,
    no_new_audio,
    service_unavailable,
)
from tests.support.transcribe_service.script import Script
from tests.support.transcribe_service.server import REGION, TranscribeServer, running_transcribe
from tiro.events.v1.usage_pb2 import UsageRecord
from tiro_client import AsyncClient, Final, JobFailed, LiveEvent, Partial, SessionEnded, TiroError
from tiro_core.messaging.connection import open_bus
from tiro_core.messaging.records import Change, RecordStore
from tiro_core.messaging.topology import USAGE_BUCKET
from tiro_core.settings import CoreSettings
from tiro_engines.fake.markers import encode

RATE = 16_000
WORDS = [f"w{number}" for number in range(1, 25)]

pytestmark = pytest.mark.xdist_group("amazon stack")


@pytest.fixture(scope="module")
def amazon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TranscribeServer]:
    """The server of Amazon Transcribe."""
    with running_transcribe(tmp_path_factory.mktemp("amazon")) as server:
        yield server


@pytest.fixture(scope="module")
def stack(amazon: TranscribeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All of Tiro, with one worker that uses that server."""
    settings = {**engine_environment(amazon), "TIRO_ENGINE": "amazon-transcribe"}
    settings["TIRO_DEFAULT_ENGINE"] = "amazon-transcribe"
    settings["TIRO_ROUTING"] = str(consent(tmp_path_factory.mktemp("routing")))
    with running_stack(tmp_path_factory.mktemp("nats"), settings) as running:
        yield running


def consent(folder: Path) -> Path:
    """Routing rules that let every tenant's audio go to Amazon."""
    file = folder / "routing.toml"
    file.write_text('[[tenants]]\nname = "*"\nclouds = ["amazon-transcribe"]\n', encoding="utf-8")
    return file


def speech() -> NDArray[np.int16]:
    """Word markers with a pause in the middle."""
    pause = np.zeros(RATE, dtype=np.int16)
    return np.concatenate((encode(range(1, 13)), pause, encode(range(13, 25)), pause))


def recording() -> bytes:
    """That speech as a WAV file."""
    return wav(speech())


def words(text: str) -> list[str]:
    """The words of a text, without punctuation."""
    return text.replace(".", " ").split()


async def test_a_job(stack: Stack, amazon: TranscribeServer) -> None:
    """A job's transcript has each word once. The request has language, rate and encoding."""
    async with AsyncClient(stack.address) as client:
        job = await client.wait(await client.submit(recording(), language="en"))
        assert words(str(await client.get_transcript(job.name, format="txt"))) == WORDS
    asked = amazon.streams[-1].request
    assert asked is not None
    sent = asked.parameters
    assert (sent["language-code"], sent["sample-rate"], sent["media-encoding"]) == ("en-US", "16000", "pcm")


async def test_a_throttled_job_is_retried(stack: Stack, amazon: TranscribeServer) -> None:
    """A job that the account's limit of streams refused succeeds later, within the same attempt."""
    amazon.plan(Script(refuse=limit_exceeded()))
    async with AsyncClient(stack.address) as client:
        job = await client.wait(await client.submit(recording(), language="en"))
        assert words(str(await client.get_transcript(job.name, format="txt"))) == WORDS
        assert job.attempt == 1


async def test_a_refused_job_fails_with_the_reason(stack: Stack, amazon: TranscribeServer) -> None:
    """A job that the service refuses fails with ENGINE_REFUSED and the service's message, without a retry."""
    amazon.plan(Script(refuse=bad_request("the vocabulary does not exist")))
    async with AsyncClient(stack.address) as client:
        with pytest.raises(JobFailed, match="the vocabulary does not exist") as failed:
            await client.wait(await client.submit(recording(), language="en"))
    assert failed.value.reason == "ENGINE_REFUSED"


async def test_a_job_is_sent_to_its_region(stack: Stack, amazon: TranscribeServer) -> None:
    """The request is signed for the job's region: the service of another region refuses it."""
    async with AsyncClient(stack.address) as client:
        await client.wait(await client.submit(recording(), language="en", region=REGION))
        with pytest.raises(JobFailed, match="another day, region or service"):
            await client.wait(await client.submit(recording(), language="en", region=OTHER_REGION))
        with pytest.raises(TiroError) as refused:
            await client.submit(recording(), language="en", region="us-east-1")
    assert refused.value.reason == "REGION_NOT_ALLOWED"
    assert f"/{OTHER_REGION}/transcribe/" in amazon.streams[-1].headers["authorization"]


async def live(stack: Stack) -> list[LiveEvent]:
    """Stream the speech in real time, and return all events."""
    async with AsyncClient(stack.address, streaming_address=stack.streaming_address) as client:
        return [event async for event in client.stream(paced(speech()), sample_rate=RATE, language="en")]


def finals_of(events: list[LiveEvent]) -> list[str]:
    """The words of all finals."""
    return [word for event in events if isinstance(event, Final) for word in words(event.segment.text)]


async def test_a_live_session(stack: Stack) -> None:
    """A live session gives partials before the first final, and finals with each word once."""
    events = await live(stack)
    first_final = next(index for index, event in enumerate(events) if isinstance(event, Final))
    assert sum(isinstance(event, Partial) for event in events[:first_final]) > 1
    assert finals_of(events) == WORDS
    assert isinstance(events[-1], SessionEnded)


@pytest.mark.parametrize(
    "script",
    [
        Script(refuse=service_unavailable()),
        Script(refuse=limit_exceeded()),
        Script(refuse=expired_token()),
        Script(cut_after=2),
        Script(cut_after=7),
        Script(throw=internal_failure(), throw_after=3),
        Script(throw=no_new_audio(15), throw_after=5),
        Script(clock_ahead=timedelta(minutes=10), clock_ahead_after=3),
        Script(corrupt_after=2),
        Script(stall_after=3),
    ],
    ids=[
        "unavailable",
        "throttled",
        "credentials expired",
        "cut in a word",
        "cut later",
        "fault in mid-stream",
        "ended for silence",
        "signature expired",
        "damaged event",
        "stalled",
    ],
)
async def test_a_live_session_continues_after_a_fault(stack: Stack, amazon: TranscribeServer, script: Script) -> None:
    """The session continues on another stream from the end of the last final: no word is lost or repeated."""
    before = len(amazon.streams)
    amazon.plan(script)
    assert finals_of(await live(stack)) == WORDS
    assert len(amazon.streams) - before > 1


async def test_a_refused_session_ends_with_the_reason(stack: Stack, amazon: TranscribeServer) -> None:
    """A session that the service refuses ends with ENGINE_REFUSED and the service's message."""
    amazon.plan(Script(refuse=bad_request("the vocabulary does not exist")))
    with pytest.raises(TiroError, match="the vocabulary does not exist") as failed:
        await live(stack)
    assert failed.value.reason == "ENGINE_REFUSED"


COUNT_SECONDS_MAX = 15.0


async def counted(stack: Stack, amazon: TranscribeServer) -> None:
    """Wait until the usage records count all audio that the service has received so far, to a second."""
    received = sum(stream.audio_seconds for stream in amazon.streams)
    settings = CoreSettings.model_validate({"nats_url": stack.nats.url, "nats_monitor_url": stack.nats.monitor_url})
    seconds: dict[str, float] = {}
    async with (
        open_bus(settings, "test") as bus,
        asyncio.timeout(COUNT_SECONDS_MAX),
        RecordStore(bus, USAGE_BUCKET, UsageRecord).watch(">") as changes,
    ):
        async for change in changes:
            if isinstance(change, Change) and change.value is not None:
                seconds[change.key] = change.value.seconds_sent
            if abs(sum(seconds.values()) - received) <= 1.0:
                return


async def test_sent_audio_is_counted_as_usage(stack: Stack, amazon: TranscribeServer) -> None:
    """Usage includes audio of a job, of a session, and audio that a session sends again after a fault."""
    await counted(stack, amazon)
    before = sum(stream.audio_seconds for stream in amazon.streams)
    async with AsyncClient(stack.address) as client:
        await client.wait(await client.submit(recording(), language="en"))
    await live(stack)
    amazon.plan(Script(cut_after=7))
    await live(stack)
    seconds = len(speech()) / RATE
    assert sum(stream.audio_seconds for stream in amazon.streams) - before > 3 * seconds
    await counted(stack, amazon)
