"""The engines that the behaviour suite runs on, each with speech that it understands."""

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
    """Let a package from elsewhere run the suite on its engine."""
    parser.addoption(
        "--subject",
        action="append",
        metavar="PACKAGE.MODULE:FUNCTION",
        help="run the engines' suite on what this function returns, instead of the engines that are shipped",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on one engine after the other; all that run on one engine, in one process."""
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
    """Where tiny.en is kept. Loading it from there downloads it the first time."""
    return MODELS


def _amazon_transcribe(server: TranscribeServer) -> Subject:
    heard = _fake()
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
            assert time.monotonic() < deadline, f"the session does not get what the service says: {record}"
            time.sleep(0.001)

    return replace(heard, engine=engine, answered=answered)


@pytest.fixture(scope="package")
def subject(request: pytest.FixtureRequest, tiny_en_models_dir: Path) -> Iterator[Subject]:
    """Give one engine after the other, loaded once."""
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
    """Give the engine under test."""
    return subject.engine


@pytest.fixture(scope="package")
def speech(subject: Subject) -> Samples:
    """Give about ten seconds of speech that the engine understands."""
    return subject.speech


@pytest.fixture(scope="package")
def answered(subject: Subject) -> Callable[[EngineSession], None]:
    """Give what waits until a session knows all that the engine has to say about what it was given."""
    return subject.answered


@pytest.fixture(scope="package")
def error_rate(subject: Subject) -> Callable[[str], float]:
    """Give the word error rate of what was heard in `speech`. Case and punctuation do not count."""

    def plain(text: str) -> str:
        return " ".join(re.findall(r"[\w']+", text.casefold()))

    return lambda heard: float(jiwer.wer(plain(subject.transcript), plain(heard)))


@pytest.fixture(scope="package")
def error_rate_max(subject: Subject) -> float:
    """Give the word error rate that the engine may have."""
    return subject.error_rate_max
