"""Live streams over real connections."""

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest

from tests.integration.client.servers import AWAY, Deployment
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.audio_pb2 import AUDIO_ENCODING_LINEAR16
from tiro_client import (
    AsyncClient,
    DeadlineExceeded,
    Final,
    InvalidRequest,
    LiveConfig,
    LiveStream,
    Partial,
    SessionEnded,
    SessionStarted,
    StreamClosed,
    Unavailable,
)
from tiro_client.live.stream import AUDIO_BYTES_MAX
from tiro_core.errors import invalid_argument

NOTICE_SECONDS_MAX = 5.0
CONFIG = LiveConfig(sample_rate=16000)


async def pieces(count: int) -> AsyncIterator[bytes]:
    """Pieces of audio."""
    for index in range(count):
        yield bytes([index, 0]) * 160


def kinds(deployment: Deployment) -> list[str | None]:
    """What the service received, in order."""
    return [request.WhichOneof("request") for request in deployment.live.received]


async def hung_up(deployment: Deployment) -> None:
    """Wait until the service has noticed that the client has left."""
    async with asyncio.timeout(NOTICE_SECONDS_MAX):
        await deployment.live.left.wait()


async def test_audio_is_sent_and_events_are_received(client: AsyncClient, deployment: Deployment) -> None:
    """The config is sent first, then the audio in order. Each event is received as its own type."""
    events = [event async for event in client.stream(pieces(3), sample_rate=16000, language="en", hotwords=["Tiro"])]
    config = deployment.live.received[0].config
    assert config.format.encoding == AUDIO_ENCODING_LINEAR16
    assert (config.format.sample_rate_hertz, config.recognition.language_code) == (16000, "en")
    assert config.enable_interim_results
    assert [request.audio[0] for request in deployment.live.received[1:]] == [0, 1, 2]
    assert [type(event) for event in events] == [SessionStarted, Partial, Partial, Partial, Final, SessionEnded]


async def test_events_are_received_while_audio_is_sent(client: AsyncClient) -> None:
    """The partial of a piece is received before the next piece is sent."""
    received = asyncio.Queue[str]()

    async def in_turn() -> AsyncIterator[bytes]:
        for index in range(3):
            yield b"\0\0"
            assert await received.get() == f"word{index + 1}"

    async for event in client.stream(in_turn(), sample_rate=16000):
        if isinstance(event, Partial):
            received.put_nowait(event.segment.text)


async def test_finalize_gives_a_final_and_the_session_continues(client: AsyncClient) -> None:
    """`finalize` is answered by a final while the session stays open for more."""
    async with client.open_stream(CONFIG) as live:
        events = aiter(live)
        assert isinstance(await anext(events), SessionStarted)
        await live.send(b"\0\0")
        await live.finalize()
        assert isinstance(await anext(events), Partial)
        assert isinstance(await anext(events), Final)
        await live.send(b"\0\0")
        await live.end()
        assert [type(event) async for event in events] == [Partial, SessionEnded]


async def test_replacements_are_changed(client: AsyncClient, deployment: Deployment) -> None:
    """The config has the replacements. An update replaces or removes them, or leaves them unchanged."""
    config = dataclasses.replace(CONFIG, replacements={"tyro": "Tiro"})
    async with client.open_stream(config) as live:
        await live.update(replacements={"new york": "NYC"})
        await live.update(hotwords=["Tiro"])
        await live.update(replacements={})
        await live.end()
        assert [event async for event in live]
    opened, *updates = deployment.live.received
    assert [pair.find for pair in opened.config.recognition.replacements] == ["tyro"]
    changes = [request.update_config for request in updates]
    assert [change.HasField("replacements") for change in changes] == [True, False, True]
    assert [[pair.replace for pair in change.replacements.pairs] for change in changes] == [["NYC"], [], []]


async def test_large_audio_is_sent_in_several_messages(client: AsyncClient, deployment: Deployment) -> None:
    """Audio over the limit of a message is split between samples. Empty audio is not sent."""
    audio = bytes(range(256)) * (AUDIO_BYTES_MAX // 256 * 2) + b"\1\2"
    async with client.open_stream(CONFIG) as live:
        await live.send(audio)
        await live.send(b"")
        await live.end()
        assert [event async for event in live]
    sent = [request.audio for request in deployment.live.received[1:]]
    assert [len(piece) for piece in sent] == [AUDIO_BYTES_MAX, AUDIO_BYTES_MAX, 2]
    assert b"".join(sent) == audio


async def test_keep_alives_are_sent_while_the_caller_sends_nothing(client: AsyncClient, deployment: Deployment) -> None:
    """A caller without audio keeps its session: keep-alives are sent within the service's idle time."""
    deployment.live.idle_seconds_max = 0.3
    async with client.open_stream(CONFIG) as live:
        assert isinstance(await anext(aiter(live)), SessionStarted)
        async with asyncio.timeout(2):
            await deployment.live.kept_alive.wait()


async def test_a_refused_session_raises_its_reason(client: AsyncClient, deployment: Deployment) -> None:
    """A refused config raises from the iteration with its reason."""
    deployment.live.refusal = invalid_argument(reasons.ERROR_REASON_UNKNOWN_MODEL, "no such model")
    with pytest.raises(InvalidRequest) as raised:
        await anext(client.stream(pieces(3), sample_rate=16000, model="none"))
    assert raised.value.reason == "UNKNOWN_MODEL"


async def test_a_refusal_while_audio_is_sent_is_not_lost(client: AsyncClient, deployment: Deployment) -> None:
    """The reason is raised even if audio is being sent when the refusal arrives (grpc/grpc#36066)."""
    deployment.live.refusal = invalid_argument(reasons.ERROR_REASON_UNKNOWN_MODEL, "no such model")
    for _ in range(30):
        with pytest.raises(InvalidRequest, match="no such model"):
            await anext(client.stream(pieces(20), sample_rate=16000))


async def test_a_broken_session_raises_its_reason(client: AsyncClient, deployment: Deployment) -> None:
    """Events before the break are yielded, then its reason is raised. The session is not restarted."""
    deployment.live.cut_after = 2
    events = client.stream(pieces(100), sample_rate=16000)
    seen = [type(await anext(events)), type(await anext(events))]
    with pytest.raises(Unavailable) as raised:
        await anext(events)
    assert raised.value.reason == "NOT_READY"
    assert seen == [SessionStarted, Partial]
    assert kinds(deployment).count("config") == 1


async def test_sending_after_the_end_is_an_error(client: AsyncClient, deployment: Deployment) -> None:
    """`send` raises `StreamClosed` after `end`, and after the service has ended the session."""
    async with client.open_stream(CONFIG) as live:
        await live.end()
        with pytest.raises(StreamClosed):
            await live.send(b"\0\0")
    deployment.live.refusal = AWAY
    async with client.open_stream(CONFIG) as live:
        with pytest.raises(Unavailable):
            await anext(aiter(live))
        with pytest.raises(StreamClosed):
            await live.send(b"\0\0")


async def test_a_caller_that_does_not_read_is_named_as_the_cause(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unread events also stop acknowledgements. `send` then fails, and names the unread events."""
    monkeypatch.setattr("tiro_client.live.inbox.EVENTS_WAITING_MAX", 3)
    monkeypatch.setattr("tiro_client.live.outbox.ITEMS_MAX", 10)
    monkeypatch.setattr("tiro_client.live.outbox.SEND_SECONDS_MAX", 0.2)
    async with client.open_stream(CONFIG) as live:
        with pytest.raises(DeadlineExceeded, match="3 events wait to be read"):
            for _ in range(100):
                await live.send(b"\0\0")


async def test_a_service_that_accepts_nothing_is_named_as_the_cause(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If events are read and the service acknowledges nothing, `send` fails and names the service."""
    monkeypatch.setattr("tiro_client.live.outbox.ITEMS_MAX", 10)
    monkeypatch.setattr("tiro_client.live.outbox.SEND_SECONDS_MAX", 0.2)

    async def read(live: LiveStream) -> None:
        async for _ in live:
            pass

    async with client.open_stream(CONFIG) as live:
        reading = asyncio.create_task(read(live))
        with pytest.raises(DeadlineExceeded, match="the service accepted nothing for"):
            for _ in range(100):
                await live.send(b"\0\0")
        await live.cancel()
        await reading


async def test_an_exception_of_the_audio_ends_the_session(client: AsyncClient, deployment: Deployment) -> None:
    """An exception of the audio iterator is raised by the stream, and ends the call to the service."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"\0\0"
        await deployment.live.audio_received.wait()
        raise LookupError("the cable fell out")

    with pytest.raises(LookupError, match="cable"):
        async for _ in client.stream(broken(), sample_rate=16000):
            pass
    await hung_up(deployment)


async def test_leaving_early_abandons_the_session(client: AsyncClient, deployment: Deployment) -> None:
    """Closing the iterator of events ends the call, and closes the audio iterator."""
    closed = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"\0\0"
                await asyncio.sleep(0.01)
        finally:
            closed.set()

    async with aclosing(endless()) as audio, aclosing(client.stream(audio, sample_rate=16000)) as events:
        async for event in events:
            if isinstance(event, Partial):
                break
    assert closed.is_set()
    await hung_up(deployment)


async def test_a_cancelled_reader_is_cancelled(client: AsyncClient, deployment: Deployment) -> None:
    """A task that is cancelled while it reads raises CancelledError, and the session ends."""
    started = asyncio.Event()

    async def read() -> None:
        async with client.open_stream(CONFIG) as live:
            async for _ in live:
                started.set()

    reading = asyncio.create_task(read())
    await started.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await hung_up(deployment)


async def test_no_service_for_streams(unused_address: str) -> None:
    """Without a streaming service the error is `Unavailable`."""
    async with AsyncClient(unused_address) as client:
        with pytest.raises(Unavailable):
            await anext(client.stream(pieces(1), sample_rate=16000))
