"""Engines of the contract suite, each with speech that it recognizes."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name

import jiwer
import numpy as np
import pytest

from deploy.local.stack import MODELS
from tests.contract.engines.subject import Subject, dictation
from tests.support.transcribe_service.account import amazon_account
from tests.support.transcribe_service.server import TranscribeServer
from tiro_core.audio.pcm import pcm16_to_float32
from tiro_engines.amazon_transcribe.session import AmazonSession
from tiro_engines.fake.markers import encode
from tiro_engines.interface import SAMPLE_RATE, Engine, EngineSession, EngineSettings, Samples
from tiro_engines.registry import find_engine

SHIPPED = ("fake", "faster-whisper", "amazon-transcribe")
ANSWER_SECONDS_MAX = 20.0


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option by which another package runs the suite on its engine."""
    parser.addoption(
        "--subject",
        action="append",
        metavar="PACKAGE.MODULE:FUNCTION",
        help="run the engines' suite on the Subject that this function returns, instead of on the shipped engines",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on each engine; all tests of an engine run in one process."""
    if "subject" in metafunc.fixturenames:
        subjects = metafunc.config.getoption("subject", default=None) or SHIPPED
        grouped = [pytest.param(subject, marks=pytest.mark.xdist_group(subject)) for subject in subjects]
        metafunc.parametrize("subject", grouped, indirect=True, scope="package")


def _fake() -> Subject:
    engine = find_engine("fake").load("markers", EngineSettings(models_dir=""))
    pause = np.zeros(16_000, dtype=np.int16)
    pcm = np.concatenate((pause, encode(range(1, 13)), pause, encode(range(13, 25)), pause))
    return Subject(engine, pcm16_to_float32(pcm), " ".join(f"w{word}" for word in range(1, 25)), error_rate_max=0.0)


def _faster_whisper(models_dir: Path) -> Subject:
    settings = EngineSettings(models_dir=str(models_dir), device="cpu", parallel=2)
    engine = find_engine("faster-whisper").load("tiny.en", settings)
    return dictation(engine, error_rate_max=0.15)


@pytest.fixture(scope="package")
def tiny_en_models_dir() -> Path:
    """The folder of tiny.en. The first load downloads it."""
    return MODELS


def _amazon_transcribe(server: TranscribeServer) -> Subject:
    fake = _fake()
    engine = find_engine("amazon-transcribe").load("streaming", EngineSettings(models_dir=""))

    def answered(session: EngineSession) -> None:
        assert isinstance(session, AmazonSession)
        if (stream := session._connection._stream) is None:
            return
        seconds = (session._connection.position - stream.origin) / SAMPLE_RATE
        record = server.stream(stream.name)
        server.wait_until(lambda: record.audio_seconds > seconds - 1 / SAMPLE_RATE)
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while stream.received < record.sent:
            assert time.monotonic() < deadline, f"the session does not get the results of the service: {record}"
            time.sleep(0.001)

    return replace(fake, engine=engine, answered=answered)


@pytest.fixture(scope="package")
def subject(request: pytest.FixtureRequest, tiny_en_models_dir: Path) -> Iterator[Subject]:
    """Each engine in turn, loaded once, with its speech."""
    with ExitStack() as stack:
        match request.param:
            case "fake":
                found = _fake()
            case "faster-whisper":
                found = _faster_whisper(tiny_en_models_dir)
            case "amazon-transcribe":
                found = _amazon_transcribe(stack.enter_context(amazon_account()))
            case named:
                found = resolve_name(named)()
        stack.callback(found.engine.close)
        yield found


@pytest.fixture(scope="package")
def engine(subject: Subject) -> Engine:
    """The engine under test."""
    return subject.engine


@pytest.fixture(scope="package")
def speech(subject: Subject) -> Samples:
    """About ten seconds of speech that the engine recognizes."""
    return subject.speech


@pytest.fixture(scope="package")
def answered(subject: Subject) -> Callable[[EngineSession], None]:
    """A function that waits until a session has all results for the samples that it was given."""
    return subject.answered


@pytest.fixture(scope="package")
def error_rate(subject: Subject) -> Callable[[str], float]:
    """A function from a transcript of `speech` to its word error rate. Case and punctuation do not count."""

    def plain(text: str) -> str:
        return " ".join(re.findall(r"[\w']+", text.casefold()))

    return lambda recognized: float(jiwer.wer(plain(subject.transcript), plain(recognized)))


@pytest.fixture(scope="package")
def error_rate_max(subject: Subject) -> float:
    """The largest word error rate that the engine may have."""
    return subject.error_rate_max
