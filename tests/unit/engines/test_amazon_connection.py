"""The finish of a connection whose stream has just ended."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.transcribe_service.account import amazon_account
from tests.support.transcribe_service.failures import service_unavailable
from tests.support.transcribe_service.script import Script
from tests.support.transcribe_service.server import TranscribeServer
from tiro_engines.amazon_transcribe.connection import Connection
from tiro_engines.amazon_transcribe.results import RecognitionResult
from tiro_engines.amazon_transcribe.service import Service
from tiro_engines.amazon_transcribe.settings import AmazonSettings
from tiro_engines.fake.markers import encode


@pytest.fixture
def server() -> Iterator[TranscribeServer]:
    """A server that the environment of this process names."""
    with amazon_account() as server:
        yield server


@pytest.fixture
def connection(server: TranscribeServer) -> Iterator[Connection]:
    """A connection to the server."""
    service = Service(AmazonSettings())
    connection = Connection(lambda origin: service.open_stream("en-US", origin=origin, pace=100.0), 0, "en")
    yield connection
    connection.close()
    service.close()


def finals(connection: Connection) -> list[str]:
    """Finish the connection, and return the words of its final results."""
    results: list[RecognitionResult] = []
    connection.finish(results.extend)
    return [item.word.text for one in results if one.is_final for item in one.words]


QUIET = Script(quiet_seconds=0.2)
BROKEN = Script(throw=service_unavailable(), throw_after=0.3)


@pytest.mark.parametrize("script", [QUIET, BROKEN])
@pytest.mark.parametrize("look", [lambda _: [], Connection.take], ids=["unseen", "seen"])
def test_open_words_of_an_ended_stream_are_sent_again(
    server: TranscribeServer,
    connection: Connection,
    script: Script,
    look: Callable[[Connection], list[RecognitionResult]],
) -> None:
    """Words that were not final become final in another stream, whether or not the end was noticed before."""
    server.plan(script)
    connection.send(encode([1, 2, 3]))
    server.wait_until(lambda: bool(server.streams) and server.streams[0].end is not None)
    stream = connection._stream
    assert stream is not None
    assert stream._ended.wait(10)
    look(connection)
    assert finals(connection) == ["w1", "w2", "w3."]
    assert len(server.streams) == 2


def test_a_finish_without_audio_opens_no_stream(server: TranscribeServer, connection: Connection) -> None:
    """A finish before any audio, or a second one, opens no stream."""
    assert finals(connection) == []
    connection.send(encode([1]))
    assert finals(connection) == ["w1."]
    assert finals(connection) == []
    assert len(server.streams) == 1
