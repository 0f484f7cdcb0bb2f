"""Loading the engine, and what it asks of the service."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.transcribe_service.account import amazon_account
from tests.support.transcribe_service.failures import service_unavailable
from tests.support.transcribe_service.script import Script
from tests.support.transcribe_service.server import TranscribeServer
from tiro_engines.errors import SettingsError
from tiro_engines.fake.markers import encode
from tiro_engines.interface import (
    EngineSettings,
    EngineUnavailable,
    Final,
    ModelUnavailable,
    RecognitionOptions,
    Segment,
    SessionOptions,
    UnsupportedLanguage,
    Window,
)
from tiro_engines.registry import find_engine

SPEECH = encode([1, 2]).astype(np.float32) / np.float32(32768)
SETTINGS = EngineSettings(models_dir="")
GIVEN_UP_SECONDS_MAX = 40.0
EN, ES = "en-US", "es-US"


@pytest.fixture
def server() -> Iterator[TranscribeServer]:
    """Give a server that this process's environment names."""
    with amazon_account() as server:
        yield server


def test_wrong_credentials_are_seen_at_the_start(server: TranscribeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that cannot serve anybody is not ready, and says why without naming the key."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not the one of the tests")
    with pytest.raises(ModelUnavailable, match="signature") as error:
        find_engine("amazon-transcribe").load("streaming", SETTINGS)
    assert "not the one" not in str(error.value)
    assert server.streams[-1].audio_events == 0


def test_a_service_that_is_away_is_seen_at_the_start(server: TranscribeServer) -> None:
    """The worker tries again, as with a model that cannot be had."""
    server.default = Script(refuse=service_unavailable())
    with pytest.raises(ModelUnavailable, match="ServiceUnavailable"):
        find_engine("amazon-transcribe").load("streaming", SETTINGS)


def test_a_language_is_identified_among_those_of_the_deployment(
    server: TranscribeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In windows and sessions that name none; those that name one get that one."""
    monkeypatch.setenv("TIRO_AMAZON_IDENTIFY", f"{EN}, {ES}")
    engine = find_engine("amazon-transcribe").load("streaming", SETTINGS)
    assert engine.capabilities.detects_language
    heard: list[Segment] = []
    window = Window(SPEECH, 0)
    result = engine.transcribe(window, RecognitionOptions(language=None), heard.append, threading.Event())
    assert result.language is not None
    assert result.language.code in {"en", "es"}
    assert [segment.language for segment in heard] == [result.language.code]
    asked = server.streams[-1].request
    assert asked is not None
    assert (asked.parameters["identify-language"], asked.parameters["language-options"]) == ("True", f"{EN},{ES}")
    session = engine.open_session(SessionOptions(RecognitionOptions(language=None)), 0)
    updates = [*session.advance(SPEECH), *session.finalize()]
    session.close()
    assert [one.segment.language for one in updates if isinstance(one, Final)] == [result.language.code]
    engine.transcribe(window, RecognitionOptions(language="de"), heard.append, threading.Event())
    asked = server.streams[-1].request
    assert asked is not None
    assert asked.language_code == "de-DE"
    engine.close()


def test_without_them_a_language_must_be_named(server: TranscribeServer) -> None:
    """It is refused before anything is sent."""
    engine = find_engine("amazon-transcribe").load("streaming", SETTINGS)
    opened = len(server.streams)
    with pytest.raises(UnsupportedLanguage, match="name one"):
        engine.open_session(SessionOptions(RecognitionOptions(language=None)), 0)
    assert len(server.streams) == opened
    engine.close()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"identify": "en-US"}, "two or more"),
        ({"identify": "en-US,en-GB"}, "one of a language"),
        ({"identify": "en-US,xx-XX"}, "locales of the service"),
        ({"locales": "en-GB,xx-XX"}, "no language 'xx-XX'"),
        ({"identify": "en-US,es-US", "vocabulary": "names"}, "of one language"),
        ({"identify": "en-US,es-US", "vocabulary_filter": "rude"}, "of one language"),
    ],
)
def test_locales_that_make_no_sense(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], says: str) -> None:
    """The worker does not start."""
    for name, value in settings.items():
        monkeypatch.setenv(f"TIRO_AMAZON_{name.upper()}", value)
    with pytest.raises(SettingsError, match=says):
        find_engine("amazon-transcribe").jobs_at_once("cpu")


def test_what_nobody_heard_is_not_taken_for_silence(server: TranscribeServer) -> None:
    """While the service refuses every stream nothing is settled, and the session is given up before long."""
    engine = find_engine("amazon-transcribe").load("streaming", SETTINGS)
    server.default = Script(refuse=service_unavailable())
    session = engine.open_session(SessionOptions(RecognitionOptions("en")), 0)
    step = np.zeros(1_600, np.float32)

    def speak() -> None:
        deadline = time.monotonic() + GIVEN_UP_SECONDS_MAX
        while time.monotonic() < deadline:
            session.advance(step)
            time.sleep(0.1)

    with pytest.raises(EngineUnavailable):
        speak()
    assert session.checkpoint_sample == 0
    session.close()
    engine.close()


def test_silence_that_was_heard_is_settled(server: TranscribeServer) -> None:
    """A stream that is open and says nothing of what it was sent lets go of it, at natural pace."""
    engine = find_engine("amazon-transcribe").load("streaming", SETTINGS)
    session = engine.open_session(SessionOptions(RecognitionOptions("en")), 0)
    step = np.zeros(1_600, np.float32)
    deadline = time.monotonic() + GIVEN_UP_SECONDS_MAX
    while session.checkpoint_sample < 16_000:
        assert time.monotonic() < deadline
        session.advance(step)
        time.sleep(0.1)
    session.close()
    engine.close()
