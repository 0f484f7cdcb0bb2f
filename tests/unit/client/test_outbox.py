"""The outbox of a live session: its limits, and the requests that are sent again over another connection."""

import asyncio
from collections.abc import Callable

import pytest

from tiro.streaming.v1.streaming_pb2 import Finalize, StreamingTranscribeRequest
from tiro_client.errors import DeadlineExceeded, InternalError, StreamClosed
from tiro_client.live import outbox as module
from tiro_client.live.config import AudioEncoding, LiveConfig
from tiro_client.live.outbox import Outbox, outbox_for
from tiro_client.live.replay_buffer import EncodedReplayBuffer, NoReplayBuffer, SampleReplayBuffer, StoredPosition

RATE = 1000
"""Samples per second: a sample of two bytes is a millisecond."""
MILLISECOND = 1_000_000
FINALIZE = StreamingTranscribeRequest(finalize=Finalize())


def audio(data: bytes) -> StreamingTranscribeRequest:
    """A request with audio."""
    return StreamingTranscribeRequest(audio=data)


def samples(bytes_max: int = 1000) -> Outbox:
    """An outbox for samples."""
    return Outbox(SampleReplayBuffer(RATE, 2), bytes_max)


async def sent(outbox: Outbox, count: int) -> list[bytes | str | None]:
    """Send some requests: audio as bytes, controls as their kind."""
    requests = [await outbox.next() for _ in range(count)]
    return [request and (request.audio or request.WhichOneof("request")) for request in requests]


async def test_unacknowledged_requests_are_sent_again() -> None:
    """A new connection gets the requests that are not stored, the rest of a partly stored piece included."""
    outbox = samples()
    for request in (audio(b"aabb"), FINALIZE, audio(b"ccdd"), audio(b"ee")):
        await outbox.put(request)
    await outbox.connect(StoredPosition())
    assert await sent(outbox, 3) == [b"aabb", "finalize", b"ccdd"]
    await outbox.disconnect()
    await outbox.connect(StoredPosition(3 * MILLISECOND, 1))
    assert await sent(outbox, 2) == [b"dd", b"ee"]


async def test_an_unstored_control_keeps_its_position() -> None:
    """A control that is not stored is sent again before the audio that followed it."""
    outbox = samples()
    for request in (audio(b"aa"), FINALIZE, audio(b"bb")):
        await outbox.put(request)
    await outbox.connect(StoredPosition())
    assert await sent(outbox, 3) == [b"aa", "finalize", b"bb"]
    await outbox.connect(StoredPosition(1 * MILLISECOND, 0))
    assert await sent(outbox, 2) == ["finalize", b"bb"]


async def test_a_service_that_has_lost_audio_is_an_error() -> None:
    """Acknowledged audio is not kept, so a service that asks for it again is an InternalError."""
    outbox = samples()
    await outbox.put(audio(b"aabb"))
    await outbox.connect(StoredPosition())
    assert await sent(outbox, 1) == [b"aabb"]
    await outbox.acknowledge(StoredPosition(2 * MILLISECOND))
    with pytest.raises(InternalError, match="lost audio"):
        await outbox.connect(StoredPosition(1 * MILLISECOND))


async def test_a_session_is_complete_once_all_audio_is_stored() -> None:
    """A session is complete when its caller has ended it and all audio is sent and acknowledged."""
    outbox = samples()
    await outbox.put(audio(b"aabb"))
    await outbox.connect(StoredPosition())
    await outbox.end()
    assert not outbox.is_complete  # not sent
    assert await sent(outbox, 2) == [b"aabb", None]
    await outbox.acknowledge_audio(1 * MILLISECOND)
    assert not outbox.is_complete
    await outbox.acknowledge_audio(2 * MILLISECOND)
    assert outbox.is_complete


async def test_a_session_is_not_complete_while_its_caller_may_send_more() -> None:
    """Stored audio does not complete a session that its caller has not ended."""
    outbox = samples()
    await outbox.put(audio(b"aabb"))
    await outbox.connect(StoredPosition())
    assert await sent(outbox, 1) == [b"aabb"]
    await outbox.acknowledge_audio(2 * MILLISECOND)
    assert not outbox.is_complete


async def test_senders_wait_for_acknowledgements() -> None:
    """Sent samples count towards the limit until they are acknowledged."""
    outbox = samples(bytes_max=4)
    await outbox.connect(StoredPosition())
    await outbox.put(audio(b"aabb"))
    assert await sent(outbox, 1) == [b"aabb"]
    putting = asyncio.create_task(outbox.put(audio(b"cc")))
    await asyncio.sleep(0)
    assert not putting.done()
    await outbox.acknowledge(StoredPosition(2 * MILLISECOND))
    await putting
    assert await sent(outbox, 1) == [b"cc"]


async def test_the_number_of_waiting_items_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Controls and small pieces have a limit too, and a connected service that accepts nothing is reported."""
    monkeypatch.setattr(module, "ITEMS_MAX", 2)
    monkeypatch.setattr(module, "SEND_SECONDS_MAX", 0.01)
    outbox = samples()
    await outbox.connect(StoredPosition())
    await outbox.put(FINALIZE)
    await outbox.put(FINALIZE)
    with pytest.raises(DeadlineExceeded, match="accepted nothing"):
        await outbox.put(FINALIZE)


async def test_without_a_connection_senders_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit applies while the service is connected. The session limits the time without a connection."""
    monkeypatch.setattr(module, "ITEMS_MAX", 1)
    monkeypatch.setattr(module, "SEND_SECONDS_MAX", 0.01)
    waits: asyncio.Queue[float] = asyncio.Queue()

    def observed(seconds: float, timeout: Callable[[float], asyncio.Timeout] = asyncio.timeout) -> asyncio.Timeout:
        waits.put_nowait(seconds)
        return timeout(seconds)

    monkeypatch.setattr("tiro_client.live.outbox.asyncio.timeout", observed)
    outbox = samples()
    await outbox.put(FINALIZE)
    putting = asyncio.create_task(outbox.put(FINALIZE))
    # The third wait begins after two timeouts.
    assert [await waits.get() for _ in range(3)] == [0.01] * 3
    assert not putting.done()
    await outbox.close()
    with pytest.raises(StreamClosed):
        await putting


async def test_a_compressed_stream_is_sent_again_from_its_beginning() -> None:
    """All compressed audio is sent again, with the controls that the service has not stored."""
    outbox = Outbox(EncodedReplayBuffer(), 1000)
    for request in (audio(b"header"), FINALIZE, audio(b"page"), FINALIZE):
        await outbox.put(request)
    await outbox.connect(StoredPosition())
    await sent(outbox, 4)
    await outbox.acknowledge(StoredPosition(5 * MILLISECOND, 1))
    await outbox.connect(StoredPosition(5 * MILLISECOND, 1))
    assert outbox.replays_from_start
    assert await sent(outbox, 3) == [b"header", b"page", "finalize"]


async def test_a_compressed_stream_that_is_too_long_is_not_resumed() -> None:
    """Beyond the limit no audio is kept, and the session continues but cannot be resumed."""
    outbox = Outbox(EncodedReplayBuffer(bytes_max=8), 1000)
    await outbox.connect(StoredPosition())
    for data in (b"header", b"page"):
        assert outbox.can_resume
        await outbox.put(audio(data))
        await sent(outbox, 1)
    assert not outbox.can_resume


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (LiveConfig(sample_rate=RATE), SampleReplayBuffer),
        (LiveConfig(encoding=AudioEncoding.OGG_OPUS), EncodedReplayBuffer),
        (LiveConfig(sample_rate=RATE, resume_seconds=0), NoReplayBuffer),
        (LiveConfig(encoding=AudioEncoding.FLAC, resume_seconds=0), NoReplayBuffer),
    ],
)
async def test_each_kind_of_session_has_its_replay_buffer(config: LiveConfig, kind: type) -> None:
    """Samples are kept until they are acknowledged, compressed streams whole, and nothing without resumption."""
    outbox = outbox_for(config)
    assert isinstance(outbox._replay_buffer, kind)
    assert outbox.can_resume is (config.resume_seconds > 0)


async def test_the_end_is_sent_after_waiting_requests() -> None:
    """After `end` the waiting requests are sent, and new ones are refused. A cancelled session sends a cancel."""
    outbox = samples()
    await outbox.put(audio(b"aa"))
    await outbox.end()
    with pytest.raises(StreamClosed, match="was ended"):
        await outbox.put(audio(b"bb"))
    assert await sent(outbox, 2) == [b"aa", None]
    await outbox.cancel()
    assert await sent(outbox, 1) == ["cancel"]
