"""Invalid input, beside a valid session: the first gets an error with a reason, the other all of its words."""

from collections.abc import AsyncIterator, Callable

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2

from tests.integration.streamer.audio import encoded, tone
from tests.integration.streamer.conftest import Client, Request, info_of, pieces, read_all, reason_of
from tests.support.scripted_worker import ScriptedWorker
from tiro.speech.v1.audio_pb2 import AudioEncoding, AudioFormat
from tiro.streaming.v1 import streaming_pb2 as streaming

RATE = 16_000
OPUS_RATE = 48_000
SECOND = bytes(2 * RATE)
AUDIO_BYTES_MAX = 256 * 1024
"""What the proto says of `audio`."""
OPUS = AudioFormat(encoding=AudioEncoding.AUDIO_ENCODING_OGG_OPUS)
FLAC = AudioFormat(encoding=AudioEncoding.AUDIO_ENCODING_FLAC)
FINALIZE = Request(finalize=streaming.Finalize())


@pytest.fixture
async def client(client: Client, worker: ScriptedWorker) -> AsyncIterator[Client]:
    """A client of a streamer at which another client speaks before and after the test, and gets every word."""
    neighbour = await client.start()
    await neighbour.write(Request(audio=SECOND))
    yield client
    await neighbour.write(Request(audio=SECOND))
    await neighbour.done_writing()
    conversation = await read_all(neighbour)
    assert [item.final.segment.text for item in conversation.numbered() if item.HasField("final")] == [str(2 * RATE)]
    assert conversation.last.session_ended.audio_duration.seconds == 2


def flac() -> bytes:
    """FLAC."""
    return encoded(tone(1.0, RATE), RATE, codec="flac", container="flac")


def opus() -> bytes:
    """Opus in Ogg."""
    return encoded(tone(1.0, OPUS_RATE), OPUS_RATE, codec="libopus", container="ogg")


def ogg_of_something_else() -> bytes:
    """Ogg whose first page names no codec that there is."""
    return opus().replace(b"OpusHead", b"OtherOne", 1)


def opus_of_noise() -> bytes:
    """Opus whose pages after the header are noise."""
    data = opus()
    return data[:200] + np.random.default_rng(1).bytes(len(data))


@pytest.mark.parametrize(
    ("announced", "data"), [(OPUS, flac), (FLAC, opus), (OPUS, ogg_of_something_else), (OPUS, opus_of_noise)]
)
async def test_another_codec_than_announced(client: Client, announced: AudioFormat, data: Callable[[], bytes]) -> None:
    """FLAC that is announced as Opus, Opus as FLAC, Ogg without Opus, and noise behind the header of Opus."""
    error = await client.be_refused(client.config(announced), *pieces(data(), 1000))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, "AUDIO_FORMAT_MISMATCH")


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (Request(audio=bytes(AUDIO_BYTES_MAX + 1)), "audio"),
        (Request(), "request"),
    ],
)
async def test_a_message_that_breaks_a_rule(client: Client, bad: Request, field: str) -> None:
    """A frame over the limit, and a message without a request: refused, naming the field."""
    error = await client.be_refused(client.config(), Request(audio=SECOND), bad)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    violations = info_of(error, error_details_pb2.BadRequest).field_violations
    assert [item.field for item in violations] == [field]


@pytest.mark.parametrize(
    ("audio_format", "data"), [(None, lambda: SECOND), (FLAC, flac), (OPUS, opus)], ids=["LINEAR16", "FLAC", "OGG_OPUS"]
)
async def test_messages_without_audio_change_nothing(
    client: Client, audio_format: AudioFormat | None, data: Callable[[], bytes]
) -> None:
    """Empty audio messages at the beginning, in between and at the end are no input."""
    silent = Request(audio=b"")
    audio = [request for piece in pieces(data(), 4000) for request in (piece, silent)]
    config = client.config(audio_format) if audio_format else client.config()
    conversation = await client.converse(config, silent, *audio)
    assert conversation.last.session_ended.audio_duration.ToMilliseconds() == pytest.approx(1000, abs=20)


@pytest.mark.parametrize(
    ("size", "code"),
    [
        (8 * 1024 * 1024, grpc.StatusCode.INVALID_ARGUMENT),
        (32 * 1024 * 1024, grpc.StatusCode.RESOURCE_EXHAUSTED),
    ],
    ids=["refused by Tiro", "refused by gRPC"],
)
async def test_a_message_over_the_limit(
    client: Client, worker: ScriptedWorker, size: int, code: grpc.StatusCode
) -> None:
    """A message over the limit ends the call and its session."""
    before = set(worker.received)
    error = await client.be_refused(client.config(), Request(audio=bytes(size)))
    assert error.code() == code
    for session_id in set(worker.received) - before:
        await worker.received[session_id].ended.wait()


@pytest.mark.parametrize("opening", [(Request(audio=SECOND),), (FINALIZE,), ()])
async def test_no_config(client: Client, opening: tuple[Request, ...]) -> None:
    """Audio or a control before the config, and a half-close instead of one."""
    error = await client.be_refused(*opening)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, "CONFIG_MISSING")


async def test_a_second_config(client: Client) -> None:
    """A second config ends its own session only."""
    error = await client.be_refused(client.config(), Request(audio=SECOND), client.config())
    assert reason_of(error) == "CONFIG_REPEATED"


async def test_odd_byte_counts(client: Client) -> None:
    """Messages that end within a sample are put together; a stream that ends within one is an error."""
    error = await client.be_refused(client.config(), *(Request(audio=bytes(3)) for _ in range(333)))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, "AUDIO_FORMAT_MISMATCH")


async def test_finalize_on_an_empty_session(client: Client) -> None:
    """Every finalize is answered, without a final, and the session ends without an error."""
    conversation = await client.converse(client.config(), FINALIZE, FINALIZE)
    assert conversation.kinds() == ["session_started", "utterance_end", "utterance_end", "session_ended"]
    assert conversation.last.session_ended.final_count == 0


async def test_half_close_at_once(client: Client) -> None:
    """A session without audio ends without an error."""
    conversation = await client.converse(client.config())
    assert conversation.kinds() == ["session_started", "session_ended"]
