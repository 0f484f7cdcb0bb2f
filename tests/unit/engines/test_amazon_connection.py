"""Finishing what was sent, when the stream has ended just before."""

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
    """Give a server that this process's environment names."""
    with amazon_account() as server:
        yield server


@pytest.fixture
def connection(server: TranscribeServer) -> Iterator[Connection]:
    """Give a connection to it."""
    service = Service(AmazonSettings())
    connection = Connection(lambda origin: service.open_stream("en-US", origin=origin, pace=100.0), 0, "en")
    yield connection
    connection.close()
    service.close()


def finals(connection: Connection) -> list[str]:
    """Finish, and tell the words that are final."""
    heard: list[RecognitionResult] = []
    connection.finish(heard.extend)
    return [item.word.text for one in heard if one.is_final for item in one.words]


QUIET = Script(quiet_seconds=0.2)
BROKEN = Script(throw=service_unavailable(), throw_after=0.3)


@pytest.mark.parametrize("script", [QUIET, BROKEN])
@pytest.mark.parametrize("look", [lambda _: [], Connection.take], ids=["unseen", "seen"])
def test_what_an_ended_stream_left_open_is_heard_again(
    server: TranscribeServer,
    connection: Connection,
    script: Script,
    look: Callable[[Connection], list[RecognitionResult]],
) -> None:
    """Whether or not the end was noticed before, the words that were not final become so in another stream."""
    server.plan(script)
    connection.send(encode([1, 2, 3]))
    server.wait_until(lambda: bool(server.streams) and server.streams[0].end is not None)
    stream = connection._stream
    assert stream is not None
    assert stream._ended.wait(10)
    look(connection)
    assert finals(connection) == ["w1", "w2", "w3."]
    assert len(server.streams) == 2


def test_finishing_nothing_opens_nothing(server: TranscribeServer, connection: Connection) -> None:
    """Where nothing was sent there is nothing to hear."""
    assert finals(connection) == []
    connection.send(encode([1]))
    assert finals(connection) == ["w1."]
    assert finals(connection) == []
    assert len(server.streams) == 1
