"""Recordings that are fetched by URL."""

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

from tests.integration.ingest.conftest import (
    DEADLINE_SECONDS,
    Ingest,
    StartIngest,
    refused,
    running_ingest,
    settings_for,
)
from tests.integration.ingest.test_cancelling import cancel
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
    """Answers as a test tells it."""

    answer: Answer | None = None
    requests: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        self.requests.append(dict(request.headers))
        self.asked.set()
        assert self.answer is not None
        return await self.answer(request)


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    """A host on loopback."""
    host = Host()
    app = web.Application()
    app.router.add_get("/audio", host.take)
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
    """A recording of several parts: what follows a WAV file's audio is left alone."""
    return speech + bytes(2 * PART_BYTES)


async def fetched(ingest: Ingest, name: str) -> tuple[list[int], Transcription]:
    """The states told to a watcher until the job is no longer FETCHING, and the job then."""
    states: list[int] = []
    async with asyncio.timeout(DEADLINE_SECONDS):
        async for event in ingest.jobs.WatchTranscription(WatchTranscriptionRequest(name=name), **ingest.options):
            if event.WhichOneof("event") == "state_changed":
                states.append(event.state_changed.state)
                if states[-1] != Transcription.STATE_FETCHING:
                    return states, event.state_changed
    raise AssertionError(states)


async def test_a_recording_is_fetched_and_queued(fetching: Ingest, host: Host, speech: bytes) -> None:
    """A watcher is told FETCHING, then QUEUED; the job knows how long its recording is, and shows no secrets."""

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
async def test_what_cannot_be_fetched_fails(fetching: Ingest, host: Host, kind: str, reason: str, asked: int) -> None:
    """Each failure has its reason, and only what may pass is tried again."""
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


async def test_the_form_is_checked_at_once(ingest: Ingest) -> None:
    """A URI of another scheme, or whose host cannot be spelled, is refused before anything is accepted."""
    for uri in ("ftp://example.com/a", "http://0/a", "http://127.1/a", "http://2130706433/a"):
        async with refused(grpc.StatusCode.INVALID_ARGUMENT, "URI_INVALID"):
            await ingest.transcribe(uri=uri)


async def test_a_cut_connection_is_resumed(fetching: Ingest, host: Host, long_speech: bytes) -> None:
    """After a cut the rest is asked for, from what was stored, on the condition that it is still the same."""

    async def answer(request: web.Request) -> web.StreamResponse:
        wanted = request.headers.get("Range")
        if wanted is not None:
            offset = int(wanted.removeprefix("bytes=").removesuffix("-"))
            span = f"bytes {offset}-{len(long_speech) - 1}/{len(long_speech)}"
            return web.Response(status=206, body=long_speech[offset:], headers={"Content-Range": span})
        response = web.StreamResponse(headers={"Content-Length": str(len(long_speech)), "ETag": '"one"'})
        await response.prepare(request)
        # More than one part by more than a client buffers: what it has not read when the cut comes is lost.
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


async def test_what_has_passed_is_forgotten(fetching: Ingest, host: Host, speech: bytes) -> None:
    """A host that answers with 500 once is asked again; a body without a length is taken."""

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


async def test_a_failed_fetch_is_retried(fetching: Ingest, host: Host, speech: bytes) -> None:
    """The retry of a job whose fetch failed fetches again."""

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
    """The fetch of an ingest that stops goes on at another one."""

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


async def test_a_host_may_ask_for_time(
    fetching: Ingest, host: Host, speech: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retry-After is waited for."""
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
    assert slept == [7.0]


async def test_a_full_disk_is_waited_for(
    fetching: Ingest, host: Host, speech: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording that cannot be checked for want of room is fetched all the same, once there is some."""
    temporary_file = tempfile.TemporaryFile
    full = iter([True, True])  # while it comes in, and when it is read back

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


async def test_a_lost_hint_is_made_up_for(start_ingest: StartIngest, host: Host, speech: bytes, bus: Bus) -> None:
    """What is to be fetched is offered again when nothing was heard of it. It counts as waiting until then."""

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
    """From a bucket that the deployment has opened to jobs, and from no other."""
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
