"""The load of the Amazon engine, its requests, and its checkpoints."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from tests.support.transcribe_service.account import amazon_account
from tests.support.transcribe_service.failures import service_unavailable
from tests.support.transcribe_service.script import Script
from tests.support.transcribe_service.server import WAIT_SECONDS_MAX, TranscribeServer
from tiro_engines.amazon_transcribe import connection
from tiro_engines.amazon_transcribe import session as session_module
from tiro_engines.amazon_transcribe.session import AmazonSession
from tiro_engines.errors import SettingsError
from tiro_engines.fake.markers import encode
from tiro_engines.interface import (
    Engine,
    EngineSettings,
    EngineUnavailable,
    Final,
    ModelUnavailable,
    RecognitionOptions,
    Samples,
    Segment,
    SessionOptions,
    UnsupportedLanguage,
    Window,
)
from tiro_engines.registry import find_engine

SPEECH = encode([1, 2]).astype(np.float32) / np.float32(32768)
SETTINGS = EngineSettings(models_dir="")
STEP: Samples = np.zeros(1_600, np.float32)
"""A tenth of a second of silence."""
NOTHING: Samples = np.zeros(0, np.float32)
EN, ES = "en-US", "es-US"


@pytest.fixture
def server() -> Iterator[TranscribeServer]:
    """A server that the environment of this process names."""
    with amazon_account() as server:
        yield server


def open_session(engine: Engine) -> AmazonSession:
    """A session in English, from the first sample."""
    session = engine.open_session(SessionOptions(RecognitionOptions("en")), 0)
    assert isinstance(session, AmazonSession)
    return session


def test_wrong_credentials_fail_the_load(server: TranscribeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The load fails with the reason, without the key, before any audio is sent."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not the one of the tests")
    with pytest.raises(ModelUnavailable, match="signature") as error:
        find_engine("amazon-transcribe").load("streaming", SETTINGS)
    assert "not the one" not in str(error.value)
    assert server.streams[-1].audio_events == 0


def test_an_unavailable_service_fails_the_load(server: TranscribeServer) -> None:
    """The load fails with ModelUnavailable, which a worker retries."""
    server.default = Script(refuse=service_unavailable())
    with pytest.raises(ModelUnavailable, match="ServiceUnavailable"):
        find_engine("amazon-transcribe").load("streaming", SETTINGS)


def test_a_language_is_identified_among_those_of_the_deployment(
    server: TranscribeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows and sessions without a language get an identified one; those with a language get that one."""
    monkeypatch.setenv("TIRO_AMAZON_IDENTIFY", f"{EN}, {ES}")
    engine = find_engine("amazon-transcribe").load("streaming", SETTINGS)
    assert engine.capabilities.detects_language
    segments: list[Segment] = []
    window = Window(SPEECH, 0)
    result = engine.transcribe(window, RecognitionOptions(language=None), segments.append, threading.Event())
    assert result.language is not None
    assert result.language.code in {"en", "es"}
    assert [segment.language for segment in segments] == [result.language.code]
    asked = server.streams[-1].request
    assert asked is not None
    assert (asked.parameters["identify-language"], asked.parameters["language-options"]) == ("True", f"{EN},{ES}")
    session = engine.open_session(SessionOptions(RecognitionOptions(language=None)), 0)
    updates = [*session.advance(SPEECH), *session.finalize()]
    session.close()
    assert [one.segment.language for one in updates if isinstance(one, Final)] == [result.language.code]
    engine.transcribe(window, RecognitionOptions(language="de"), segments.append, threading.Event())
    asked = server.streams[-1].request
    assert asked is not None
    assert asked.language_code == "de-DE"
    engine.close()


def test_a_language_is_identified_among_those_of_the_request(
    server: TranscribeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request's candidates take the place of the deployment's locales, one locale for each language."""
    monkeypatch.setenv("TIRO_AMAZON_IDENTIFY", f"{EN}, {ES}")
    engine = find_engine("amazon-transcribe").load("streaming", SETTINGS)
    options = RecognitionOptions(candidates=frozenset(("de", "fr-CA")))
    engine.transcribe(Window(SPEECH, 0), options, lambda _: None, threading.Event())
    asked = server.streams[-1].request
    assert asked is not None
    assert asked.parameters["language-options"] == "de-DE,fr-CA"
    session = engine.open_session(SessionOptions(options), 0)
    session.advance(SPEECH)
    session.finalize()
    session.close()
    asked = server.streams[-1].request
    assert asked is not None
    assert asked.parameters["language-options"] == "de-DE,fr-CA"
    engine.close()


def test_a_locale_is_taken_as_it_is_named(server: TranscribeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A language without a region gets the deployment's locale, and a locale itself."""
    monkeypatch.setenv("TIRO_AMAZON_LOCALES", "en-AU")
    engine = find_engine("amazon-transcribe").load("streaming", SETTINGS)
    for language, locale in (("en", "en-AU"), ("en-GB", "en-GB")):
        engine.transcribe(Window(SPEECH, 0), RecognitionOptions(language), lambda _: None, threading.Event())
        asked = server.streams[-1].request
        assert asked is not None
        assert asked.language_code == locale
    engine.close()


def test_without_identification_a_language_is_required(server: TranscribeServer) -> None:
    """A session without a language is refused before a stream is opened."""
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
        ({"identify": "en-US,en-GB"}, "one of each language"),
        ({"identify": "en-US,xx-XX"}, "locales of the service"),
        ({"locales": "en-GB,xx-XX"}, "no language 'xx-XX'"),
        ({"identify": "en-US,es-US", "vocabulary": "names"}, "of one language"),
        ({"identify": "en-US,es-US", "vocabulary_filter": "rude"}, "of one language"),
    ],
)
def test_invalid_locales_are_refused(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], says: str) -> None:
    """Invalid locales raise a SettingsError, so that the worker does not start."""
    for name, value in settings.items():
        monkeypatch.setenv(f"TIRO_AMAZON_{name.upper()}", value)
    with pytest.raises(SettingsError, match=says):
        find_engine("amazon-transcribe").jobs_at_once("cpu")


def test_refused_audio_does_not_move_the_checkpoint(server: TranscribeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the service refuses all streams the checkpoint stays, and `FAULTS_MAX` refusals end the session."""
    monkeypatch.setattr(connection, "BACKOFF_SECONDS", 0.0)
    engine = find_engine("amazon-transcribe").load("streaming", SETTINGS)
    before = len(server.streams)
    server.default = Script(refuse=service_unavailable())
    session = open_session(engine)
    with pytest.raises(EngineUnavailable):
        while True:
            session.advance(STEP)
            if (stream := session._connection._stream) is not None:
                assert stream._ended.wait(WAIT_SECONDS_MAX)
    assert session.checkpoint_sample == 0
    assert len(server.streams) - before == connection.FAULTS_MAX
    session.close()
    engine.close()


def test_silence_moves_the_checkpoint(server: TranscribeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Audio for which an open stream gives no result within some time is taken as silence."""
    now = 0.0
    monkeypatch.setattr(session_module, "time", SimpleNamespace(monotonic=lambda: now))
    engine = find_engine("amazon-transcribe").load("streaming", SETTINGS)
    session = open_session(engine)
    for _ in range(10):
        session.advance(STEP)
    server.wait_until(lambda: server.streams[-1].audio_events == 10)
    session.advance(NOTHING)
    assert session.checkpoint_sample == 0
    while session.checkpoint_sample < 10 * len(STEP):  # the session counts sent audio a moment after the service
        now += session_module.QUIET_SECONDS
        session.advance(NOTHING)
    session.close()
    engine.close()
