"""Faults of the service as the SDK raises them. The engine depends on this behaviour."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from amazon_transcribe.auth import CredentialResolver, Credentials, StaticCredentialResolver
from amazon_transcribe.eventstream import ChecksumMismatch
from amazon_transcribe.exceptions import (
    BadRequestException,
    ConflictException,
    InternalFailureException,
    LimitExceededException,
    ServiceException,
    ServiceUnavailableException,
    UnknownServiceException,
)

from tests.support.transcribe_service import failures
from tests.support.transcribe_service.failures import ServiceFailure
from tests.support.transcribe_service.record import End
from tests.support.transcribe_service.script import Script
from tests.support.transcribe_service.server import ACCESS_KEY, SECRET_KEY, TranscribeServer
from tests.unit.transcribe_service.client import leave, results, send, speech, start, transcribe

LATER = timedelta(minutes=6)
"""Longer than the lifetime of a signature."""
HANGS_SECONDS = 1.0
"""A call without an answer for this long, although nothing is under way, is taken to hang."""
SESSION = "0f9b1a52-6b1c-4c0e-9a46-2f6a1f0d7c11"

KNOWN = [
    (failures.bad_request("no"), BadRequestException),
    (failures.conflict(), ConflictException),
    (failures.internal_failure(), InternalFailureException),
    (failures.limit_exceeded(), LimitExceededException),
    (failures.service_unavailable(), ServiceUnavailableException),
]
"""Exceptions of the service model."""


@pytest.mark.parametrize(("failure", "kind"), KNOWN)
async def test_a_refused_request(
    server: TranscribeServer, failure: ServiceFailure, kind: type[ServiceException]
) -> None:
    """A refused request raises the exception of the service model with its message, before audio is sent."""
    server.plan(Script(refuse=failure))
    with pytest.raises(kind) as caught:
        await start(server)
    assert caught.value.args == (failure.message,)
    assert server.streams[0].failure == failure.kind
    assert server.streams[0].chunks_verified == 0


@pytest.mark.parametrize(
    "failure", [failures.expired_token(), failures.access_denied(), failures.invalid_signature("no")]
)
async def test_refused_credentials(server: TranscribeServer, failure: ServiceFailure) -> None:
    """An exception that is not in the model becomes `UnknownServiceException` with its status and name."""
    server.plan(Script(refuse=failure))
    with pytest.raises(UnknownServiceException) as caught:
        await start(server)
    raised: Any = caught.value  # the SDK declares the name to be an integer
    assert (raised.status_code, raised.error_code, raised.message) == (403, failure.kind, failure.message)


@pytest.mark.parametrize(("failure", "kind"), KNOWN)
async def test_an_exception_in_mid_stream(
    server: TranscribeServer, failure: ServiceFailure, kind: type[ServiceException]
) -> None:
    """An exception in mid-stream is raised at the read of results, after the results before it."""
    server.plan(Script(throw=failure, throw_after=0.5))
    stream = await start(server)
    await send(stream, speech([1, 2, 3]))
    read = []
    with pytest.raises(kind, match=failure.message):
        async for event in stream.output_stream:
            read += event.transcript.results
    assert [result.alternatives[0].transcript for result in read] == ["w1", "w1 w2"]
    assert (server.streams[0].end, server.streams[0].failure) == (End.FAILED, failure.kind)
    await stream.input_stream.end_stream()


async def test_a_wrong_secret_key(server: TranscribeServer) -> None:
    """A request that is signed with a wrong key is refused."""
    with pytest.raises(UnknownServiceException) as caught:
        await start(server, credentials=StaticCredentialResolver(ACCESS_KEY, "guessed"))
    assert str(caught.value.error_code) == "InvalidSignatureException"
    assert not server.streams[0].request_verified


class Changing(CredentialResolver):  # type: ignore[misc] # the SDK has no types
    """Credentials that change at the second chunk. The SDK reads them for the request, and for each chunk."""

    def __init__(self) -> None:
        self._asked = 0

    async def get_credentials(self) -> Credentials:
        """Return the present credentials."""
        self._asked += 1
        return Credentials(ACCESS_KEY, SECRET_KEY if self._asked <= 2 else "guessed")


async def test_a_chunk_that_is_signed_with_another_key(server: TranscribeServer) -> None:
    """A chunk with a wrong signature ends the stream with BadRequestException."""
    stream = await start(server, credentials=Changing())
    await send(stream, speech([1]))
    with pytest.raises(BadRequestException, match="the chunk's signature is another"):
        await results(stream)
    assert server.streams[0].chunks_verified == 1
    await stream.input_stream.end_stream()


async def test_an_expired_request(server: TranscribeServer) -> None:
    """A request whose time is more than five minutes off is refused."""
    server.plan(Script(clock_ahead=LATER))
    with pytest.raises(UnknownServiceException, match="Signature expired") as caught:
        await start(server)
    assert (caught.value.status_code, str(caught.value.error_code)) == (403, "InvalidSignatureException")


async def test_an_expired_chunk(server: TranscribeServer) -> None:
    """A chunk whose time is more than five minutes off ends the stream."""
    server.plan(Script(clock_ahead=LATER, clock_ahead_after=0.5))
    stream = await start(server)
    await send(stream, speech([1, 2, 3]))
    with pytest.raises(BadRequestException, match="Signature expired"):
        await results(stream)
    await stream.input_stream.end_stream()


async def test_a_stream_without_new_audio_is_ended(server: TranscribeServer) -> None:
    """The service ends a stream some time after its last audio."""
    server.plan(Script(quiet_seconds=0.3))
    stream = await start(server)
    await send(stream, speech([1]))
    with pytest.raises(BadRequestException, match=r"no new audio was received for 0\.3 seconds"):
        await results(stream)
    await stream.input_stream.end_stream()


async def test_empty_events_are_no_audio(server: TranscribeServer) -> None:
    """Audio events without samples do not keep a stream open."""
    server.plan(Script(quiet_seconds=0.3))
    stream = await start(server)
    for _ in range(3):
        await stream.input_stream.send_audio_event(audio_chunk=b"")
    with pytest.raises(BadRequestException, match="no new audio"):
        await results(stream)
    assert (server.streams[0].chunks_verified, server.streams[0].audio_events) == (3, 0)
    await stream.input_stream.end_stream()


async def test_a_chunk_that_is_too_large(server: TranscribeServer) -> None:
    """An audio event over 32 KB ends the stream."""
    stream = await start(server)
    await stream.input_stream.send_audio_event(audio_chunk=bytes(32 * 1024 + 2))
    with pytest.raises(BadRequestException, match="larger than 32 KB"):
        await results(stream)
    await stream.input_stream.end_stream()


@pytest.mark.parametrize(
    "parameters",
    [
        {"media_sample_rate_hz": 4000},
        {"media_encoding": "mp3"},
        {"language_code": "english"},
        {"language_code": None},
        {"session_id": "mine"},
        {"partial_results_stability": "total"},
        {"vocabulary_name": "unknown"},
        {"vocab_filter_method": "shout"},
        {"content_redaction_type": "PII", "content_identification_type": "PII"},
        {"show_speaker_label": True, "enable_channel_identification": True, "number_of_channels": 2},
        {"enable_channel_identification": True},
        {"language_code": None, "identify_language": True},
    ],
)
async def test_an_invalid_parameter(server: TranscribeServer, parameters: dict[str, Any]) -> None:
    """An invalid parameter is refused before audio is sent."""
    with pytest.raises(BadRequestException):
        await start(server, **parameters)


async def test_a_cut_in_mid_stream_looks_like_an_end(server: TranscribeServer) -> None:
    """The SDK raises nothing for a lost connection: results end, and audio can still be sent."""
    server.plan(Script(cut_after=0.5))
    stream = await start(server)
    await send(stream, speech([1, 2, 3]))
    read = await results(stream)
    assert all(result.is_partial for result in read)
    assert server.streams[0].end is End.CUT
    await send(stream, speech([4]))
    await stream.input_stream.end_stream()


@pytest.mark.parametrize("script", [Script(cut_after=0), Script(mute=True)])
async def test_a_request_without_answer_hangs(server: TranscribeServer, script: Script) -> None:
    """The SDK waits for an answer without a limit, even if the connection is lost: the caller needs a timeout."""
    server.plan(script)
    starting = asyncio.create_task(start(server))
    if script.cut_after == 0:
        await asyncio.to_thread(server.wait_until, lambda: server.streams != [] and server.connections == 0)
    else:
        await asyncio.to_thread(server.wait_until, lambda: server.streams != [])
    done, _ = await asyncio.wait({starting}, timeout=HANGS_SECONDS)
    assert not done
    starting.cancel()
    with suppress(asyncio.CancelledError):
        await starting


async def test_a_stalled_stream(server: TranscribeServer) -> None:
    """A stalled service accepts audio and sends no result, even after the end of the stream."""
    server.plan(Script(stall_after=0.5, quiet_seconds=60))
    stream = await start(server)
    await send(stream, speech([1, 2, 3]))
    await stream.input_stream.end_stream()
    reading = asyncio.create_task(results(stream))
    await asyncio.to_thread(server.wait_until, lambda: server.streams[0].chunks_verified == 10)
    done, _ = await asyncio.wait({reading}, timeout=HANGS_SECONDS)
    assert not done
    assert server.streams[0].sent == 1
    reading.cancel()
    with suppress(asyncio.CancelledError):
        await reading


async def test_a_corrupt_event(server: TranscribeServer) -> None:
    """An event with a wrong CRC raises `ChecksumMismatch`, which is not an `SDKError`, after the events before it."""
    server.plan(Script(corrupt_after=0.5))
    stream = await start(server)
    await send(stream, speech([1, 2]))
    read = []
    with pytest.raises(ChecksumMismatch):
        async for event in stream.output_stream:
            read += event.transcript.results
    assert [result.alternatives[0].transcript for result in read] == ["w1"]
    await stream.input_stream.end_stream()


async def test_a_fault_affects_its_own_stream_only(server: TranscribeServer) -> None:
    """One stream fails, and the other one gets its results. Scripts apply in the order of requests."""
    server.plan(Script(throw=failures.internal_failure(), throw_after=0.1))
    failing = await start(server)
    other = asyncio.create_task(transcribe(server, speech([5])))
    await send(failing, speech([1]))
    with pytest.raises(InternalFailureException):
        await results(failing)
    await failing.input_stream.end_stream()
    assert (await other)[-1].alternatives[0].transcript == "w5."


async def test_too_many_streams(server: TranscribeServer) -> None:
    """A stream beyond the account's limit is refused. Once another one has ended, a new one may start."""
    server.streams_max = 1
    first = await start(server)
    with pytest.raises(LimitExceededException):
        await start(server)
    await leave(first)
    await leave(await start(server))
    assert [record.end for record in server.streams] == [End.FINISHED, End.FAILED, End.FINISHED]


async def test_a_session_id_that_is_used_again(server: TranscribeServer) -> None:
    """A stream with the session id of another one ends that one."""
    first = await start(server, session_id=SESSION)
    second = await start(server, session_id=SESSION)
    with pytest.raises(ConflictException):
        await results(first)
    await first.input_stream.end_stream()
    await leave(second)
    assert server.streams[1].end is End.FINISHED
