"""Fetches of recordings by URL."""

import asyncio
import errno
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import grpc
import obstore
import pytest
from aiohttp import web

from tests.integration.ingest.calls import cancel
from tests.integration.ingest.conftest import (
    DEADLINE_SECONDS,
    Ingest,
    StartIngest,
    refused,
    running_ingest,
    settings_for,
)
from tests.support.nats import NatsServer
from tests.support.s3 import BUCKET, S3Server
from tiro.speech.v1.error_reason_pb2 import ErrorReason
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import RetryTranscriptionRequest, WatchTranscriptionRequest
from tiro_core.blobs.interface import PART_BYTES
from tiro_core.blobs.s3_client import make_client
from tiro_core.errors import from_status
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.settings import CoreSettings

BYTES_MAX = 4 * PART_BYTES
DRIP_SECONDS = 0.1
OPEN_BUCKET = "open-to-jobs"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Host:
    """An HTTP host whose answer a test sets."""

    answer: Answer | None = None
    requests: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        self.requests.append(dict(request.headers))
        self.asked.set()
        assert self.answer is not None
        return await self.answer(request)


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    """A host on loopback."""
    host = Host()
    app = web.Application()
    app.router.add_get("/audio", host.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    name, port = runner.addresses[0][:2]
    host.url = f"http://{name}:{port}/audio"
    yield host
    host.released.set()
    await runner.cleanup()


@pytest.fixture
async def fetching(start_ingest: StartIngest, monkeypatch: pytest.MonkeyPatch) -> Ingest:
    """An ingest that may fetch from this machine."""
    monkeypatch.setattr("tiro_ingest.fetching.download.BACKOFF_SECONDS", 0.01)
    return await start_ingest(
        outgoing_networks="127.0.0.0/8", fetch_stall_seconds=0.5, fetch_attempts_max=2, upload_bytes_max=BYTES_MAX
    )


@pytest.fixture(scope="session")
def long_speech(speech: bytes) -> bytes:
    """A recording of several parts. Bytes after a WAV file's audio are ignored."""
    return speech + bytes(2 * PART_BYTES)


async def fetched(ingest: Ingest, name: str) -> tuple[list[int], Transcription]:
    """The watched states of a job until it is no longer FETCHING, and the job at that time."""
    states: list[int] = []
    async with asyncio.timeout(DEADLINE_SECONDS):
        async for event in ingest.jobs.WatchTranscription(WatchTranscriptionRequest(name=name), **ingest.options):
            if event.WhichOneof("event") == "state_changed":
                states.append(event.state_changed.state)
                if states[-1] != Transcription.STATE_FETCHING:
                    return states, event.state_changed
    raise AssertionError(states)


async def test_a_recording_is_fetched_and_queued(fetching: Ingest, host: Host, speech: bytes) -> None:
    """A fetched job is FETCHING, then QUEUED with the duration of its recording. The query of its URL is not shown."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=speech)

    host.answer = answer
    job = await fetching.transcribe(uri=host.url + "?signature=secret")
    assert (job.state, job.uri) == (Transcription.STATE_FETCHING, host.url)
    states, job = await fetched(fetching, job.name)
    assert set(states[:-1]) == {Transcription.STATE_FETCHING}
    assert states[-1] == Transcription.STATE_QUEUED
    assert job.audio_duration.ToTimedelta().total_seconds() > 1
    assert not job.attempts


@pytest.mark.parametrize(
    ("kind", "reason", "asked"),
    [
        ("missing", "URI_HTTP_ERROR", 1),
        ("broken", "URI_HTTP_ERROR", 2),
        ("loop", "URI_REDIRECTS", 6),
        ("inside", "URI_FORBIDDEN", 1),
        ("stall", "URI_STALLED", 2),
        ("short", "URI_LENGTH_MISMATCH", 2),
        ("text", "NOT_AUDIO", 1),
        ("drip", "URI_STALLED", 2),
        ("announced too large", "UPLOAD_TOO_LARGE", 1),
        ("too large", "UPLOAD_TOO_LARGE", 1),
    ],
)
async def test_a_failed_fetch_fails_the_job_with_its_reason(
    fetching: Ingest, host: Host, kind: str, reason: str, asked: int
) -> None:
    """Each failure has its reason, and only transient ones are retried."""
    whole = {
        "missing": web.Response(status=404),
        "broken": web.Response(status=500),
        "loop": web.Response(status=302, headers={"Location": host.url}),
        "inside": web.Response(status=302, headers={"Location": "http://10.0.0.1/"}),
        "text": web.Response(text="no audio"),
        "announced too large": web.Response(body=bytes(BYTES_MAX + 1)),
    }

    async def answer(request: web.Request) -> web.StreamResponse:
        if kind in whole:
            found = whole[kind]
            return web.Response(status=found.status, headers=found.headers, body=found.body)
        response = web.StreamResponse(headers={} if kind == "too large" else {"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(bytes(BYTES_MAX + 1) if kind == "too large" else b"some")
        while kind == "drip" and not host.released.is_set():
            await response.write(b".")
            await asyncio.sleep(DRIP_SECONDS)
        if kind == "short":
            assert request.transport is not None
            request.transport.close()
        else:
            await host.released.wait()
        return response

    host.answer = answer
    states, job = await fetched(fetching, (await fetching.transcribe(uri=host.url)).name)
    assert states[-1] == Transcription.STATE_FAILED
    assert ErrorReason.Name(from_status(job.error).reason) == f"ERROR_REASON_{reason}"
    assert len(host.requests) == asked


async def test_a_cancelled_fetch_stops(fetching: Ingest, host: Host) -> None:
    """A job can be cancelled while it is FETCHING."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await host.released.wait()
        return web.Response()

    host.answer = answer
    job = await fetching.transcribe(uri=host.url)
    await host.asked.wait()
    await cancel(fetching, job.name)
    states, _ = await fetched(fetching, job.name)
    assert states[-1] == Transcription.STATE_CANCELLED


async def test_an_invalid_uri_is_refused_at_once(ingest: Ingest) -> None:
    """A URI with another scheme or an ambiguous host is refused when the job is created."""
    for uri in ("ftp://example.com/a", "http://0/a", "http://127.1/a", "http://2130706433/a"):
        async with refused(grpc.StatusCode.INVALID_ARGUMENT, "URI_INVALID"):
            await ingest.transcribe(uri=uri)


async def test_a_broken_connection_is_resumed(fetching: Ingest, host: Host, long_speech: bytes) -> None:
    """After a broken connection the rest is requested from the stored size, if the ETag is unchanged."""

    async def answer(request: web.Request) -> web.StreamResponse:
        wanted = request.headers.get("Range")
        if wanted is not None:
            offset = int(wanted.removeprefix("bytes=").removesuffix("-"))
            span = f"bytes {offset}-{len(long_speech) - 1}/{len(long_speech)}"
            return web.Response(status=206, body=long_speech[offset:], headers={"Content-Range": span})
        response = web.StreamResponse(headers={"Content-Length": str(len(long_speech)), "ETag": '"one"'})
        await response.prepare(request)
        # More than one part plus the client's buffer, whose bytes are lost at the break.
        await response.write(long_speech[: PART_BYTES * 3 // 2])
        assert request.transport is not None
        request.transport.close()
        return response

    host.answer = answer
    states, _ = await fetched(fetching, (await fetching.transcribe(uri=host.url)).name)
    assert states[-1] == Transcription.STATE_QUEUED
    assert [(asked.get("Range"), asked.get("If-Range")) for asked in host.requests] == [
        (None, None),
        (f"bytes={PART_BYTES}-", '"one"'),
    ]


async def test_a_transient_error_is_retried(fetching: Ingest, host: Host, speech: bytes) -> None:
    """A fetch is retried after a 500. A body without a length is accepted."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if len(host.requests) == 1:
            return web.Response(status=500)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(speech)
        return response

    host.answer = answer
    states, _ = await fetched(fetching, (await fetching.transcribe(uri=host.url)).name)
    assert states[-1] == Transcription.STATE_QUEUED


async def test_a_retried_job_is_fetched_again(fetching: Ingest, host: Host, speech: bytes) -> None:
    """The retry of a job whose fetch has failed fetches the recording."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=404) if len(host.requests) == 1 else web.Response(body=speech)

    host.answer = answer
    job = await fetching.transcribe(uri=host.url)
    await fetched(fetching, job.name)
    again = await fetching.jobs.RetryTranscription(RetryTranscriptionRequest(name=job.name), **fetching.options)
    states, _ = await fetched(fetching, again.name)
    assert states[-1] == Transcription.STATE_QUEUED


async def test_a_stopped_ingest_hands_its_fetch_over(
    nats_server: NatsServer, start_ingest: StartIngest, key: str, host: Host, speech: bytes
) -> None:
    """The fetch of an ingest that stops is continued by another one."""

    async def answer(_: web.Request) -> web.Response:
        if len(host.requests) == 1:
            await host.released.wait()
        return web.Response(body=speech)

    host.answer = answer
    settings = settings_for(nats_server, outgoing_networks="127.0.0.0/8")
    async with running_ingest(settings, asyncio.Event()) as (channel, port):
        job = await Ingest(channel, port, key).transcribe(uri=host.url)
        await host.asked.wait()
    other = await start_ingest(outgoing_networks="127.0.0.0/8")
    states, _ = await fetched(other, job.name)
    assert states[-1] == Transcription.STATE_QUEUED
    assert len(host.requests) == 2


async def test_retry_after_is_respected(
    fetching: Ingest, host: Host, speech: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fetch waits for the time of the Retry-After header."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def answer(_: web.Request) -> web.Response:
        if len(host.requests) == 1:
            return web.Response(status=503, headers={"Retry-After": "7"})
        return web.Response(body=speech)

    host.answer = answer
    monkeypatch.setattr("tiro_ingest.fetching.download.asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": sleep}))
    states, _ = await fetched(fetching, (await fetching.transcribe(uri=host.url)).name)
    assert states[-1] == Transcription.STATE_QUEUED
    assert 7.0 in slept  # beside the delays of fetches that other tests have left


async def test_a_fetch_waits_for_a_full_disk(
    fetching: Ingest, host: Host, speech: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording that cannot be checked because the disk is full is fetched once there is space."""
    temporary_file = tempfile.TemporaryFile
    full = iter([True, True])  # while it is received, and when it is read back

    def no_room(*args: Any, **options: Any) -> Any:
        if next(full, False):
            raise OSError(errno.ENOSPC, "No space left on device")
        return temporary_file(*args, **options)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=speech)

    host.answer = answer
    monkeypatch.setattr("tiro_ingest.uploads.spool.tempfile.TemporaryFile", no_room)
    states, _ = await fetched(fetching, (await fetching.transcribe(uri=host.url)).name)
    assert states[-1] == Transcription.STATE_QUEUED


async def test_a_lost_fetch_message_is_enqueued_again(
    start_ingest: StartIngest, host: Host, speech: bytes, bus: Bus
) -> None:
    """A fetch whose message is lost is enqueued again after some time. Its job counts as waiting."""

    async def answer(_: web.Request) -> web.Response:
        if len(host.requests) == 1:
            await host.released.wait()
        return web.Response(body=speech)

    host.answer = answer
    ingest = await start_ingest(
        outgoing_networks="127.0.0.0/8", fetches_max=1, reconcile_seconds=0.2, jobs_waiting_max=2
    )
    blocking = await ingest.transcribe(uri=host.url)
    await host.asked.wait()
    waiting = await ingest.transcribe(uri=host.url)
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL"):
        await ingest.transcribe(uri=host.url)
    await bus.jetstream.purge_stream(topology.FETCHES)
    host.released.set()
    for job in (blocking, waiting):
        assert (await fetched(ingest, job.name))[0][-1] == Transcription.STATE_QUEUED


async def test_an_object_is_fetched(start_ingest: StartIngest, s3_server: S3Server, speech: bytes, tenant: str) -> None:
    """Objects of an allowed bucket are fetched. Those of other buckets are forbidden."""
    assert s3_server.make_bucket(OPEN_BUCKET)
    client = make_client(CoreSettings.model_validate(s3_server.settings), OPEN_BUCKET)
    await obstore.put_async(client, tenant, speech)
    ingest = await start_ingest(**s3_server.settings, fetch_s3_buckets=OPEN_BUCKET)
    states, job = await fetched(ingest, (await ingest.transcribe(uri=f"s3://{OPEN_BUCKET}/{tenant}")).name)
    assert states[-1] == Transcription.STATE_QUEUED
    assert job.audio_duration.ToTimedelta().total_seconds() > 1
    for uri, reason in ((f"s3://{OPEN_BUCKET}/none", "URI_HTTP_ERROR"), (f"s3://{BUCKET}/x", "URI_FORBIDDEN")):
        states, job = await fetched(ingest, (await ingest.transcribe(uri=uri)).name)
        assert states[-1] == Transcription.STATE_FAILED
        assert ErrorReason.Name(from_status(job.error).reason) == f"ERROR_REASON_{reason}"
