"""Amazon Transcribe behind the whole of Tiro, with the vendor's own SDK and a server of its protocol."""

import io
import wave
from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.stack import Stack, running_stack
from tests.support.transcribe.account import account_environment, transcribe_on_thread
from tests.support.transcribe.script import Fault, Script
from tests.support.transcribe.server import TranscribeServer
from tiro_client import AsyncClient, JobFailed
from tiro_transcriber.engines.fake.markers import encode

WORDS = [f"w{number}" for number in range(1, 25)]


@pytest.fixture(scope="module")
def amazon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TranscribeServer]:
    """The service."""
    with transcribe_on_thread(tmp_path_factory.mktemp("amazon")) as server:
        yield server


@pytest.fixture(scope="module")
def stack(amazon: TranscribeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All of Tiro, with one worker that speaks to it."""
    settings = {**account_environment(amazon), "TIRO_ENGINE": "amazon-transcribe"}
    settings["TIRO_DEFAULT_ENGINE"] = "amazon-transcribe"
    with running_stack(tmp_path_factory.mktemp("nats"), settings) as running:
        yield running


def recording() -> bytes:
    """A wav file of word markers with a pause in the middle."""
    pause = np.zeros(16_000, dtype=np.int16)
    pcm = np.concatenate((encode(range(1, 13)), pause, encode(range(13, 25)), pause))
    file = io.BytesIO()
    with wave.open(file, "wb") as output:
        output.setnchannels(1)
        output.setsampwidth(2)
        output.setframerate(16_000)
        output.writeframes(pcm.tobytes())
    return file.getvalue()


def words(text: str) -> list[str]:
    """Without punctuation."""
    return text.replace(".", " ").split()


async def test_a_job(stack: Stack, amazon: TranscribeServer) -> None:
    """Each word comes once, with its punctuation; the service was told language, rate and encoding."""
    async with AsyncClient(stack.address) as client:
        job = await client.wait(await client.submit(recording(), language="en"))
        assert words(str(await client.get_transcript(job.name, format="txt"))) == WORDS
    asked = amazon.streams[-1].parameters
    assert (asked["language-code"], asked["sample-rate"], asked["media-encoding"]) == ("en-US", "16000", "pcm")


async def test_a_throttled_job_is_tried_again(stack: Stack, amazon: TranscribeServer) -> None:
    """The account's limit of streams passes."""
    amazon.scripts.append(Script(refuse=Fault("LimitExceededException")))
    async with AsyncClient(stack.address) as client:
        job = await client.wait(await client.submit(recording(), language="en"))
        assert words(str(await client.get_transcript(job.name, format="txt"))) == WORDS
        assert job.attempt == 1


async def test_a_refused_job_fails_with_the_reason(stack: Stack, amazon: TranscribeServer) -> None:
    """What the service does not want it does not want the next time either."""
    amazon.scripts.append(Script(refuse=Fault("BadRequestException", "the vocabulary does not exist")))
    async with AsyncClient(stack.address) as client:
        with pytest.raises(JobFailed, match="the vocabulary does not exist") as failed:
            await client.wait(await client.submit(recording(), language="en"))
    assert failed.value.reason == "ENGINE_REFUSED"
