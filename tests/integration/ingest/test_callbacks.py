"""Callbacks: HTTP requests that notify a receiver of the end of a job."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NoReturn

import grpc
import pytest
from aiohttp import web

from tests.integration.ingest.calls import cancel, get
from tests.integration.ingest.conftest import DEADLINE_SECONDS, Ingest, StartIngest, refused
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.transcription.v1.transcription_pb2 import Callback
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import Change, RecordStore
from tiro_ingest.callbacks.signatures import sign, tenant_secret

SECRET = "a deployment's own"  # noqa: S105 - of a test


@dataclass
class Receiver:
    """A server that receives callbacks, and answers with statuses that a test sets."""

    answers: list[int] = field(default_factory=list)
    """Statuses of the next answers, 0 for no answer. After them it answers with 200."""
    received: asyncio.Queue[tuple[dict[str, str], bytes]] = field(default_factory=asyncio.Queue)
    url: str = ""
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at the end of a test, to end requests without an answer."""

    async def receive(self, request: web.Request) -> web.Response:
        """Receive a callback."""
        await self.received.put((dict(request.headers), await request.read()))
        status = self.answers.pop(0) if self.answers else 200
        if not status:
            await self.released.wait()
        headers = {"Location": self.url} if status == 302 else {}
        return web.Response(status=status, headers=headers)

    async def next(self) -> tuple[dict[str, str], bytes]:
        """The headers and the body of the next callback."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await self.received.get()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on this machine."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.receive)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}/hook"
    yield receiver
    receiver.released.set()
    await runner.cleanup()


Calling = Callable[[], Awaitable[Ingest]]


@pytest.fixture
def calling(start_ingest: StartIngest, monkeypatch: pytest.MonkeyPatch) -> Calling:
    """A function that starts an ingest which may call this machine, with short retries."""
    monkeypatch.setattr("tiro_ingest.callbacks.sender.BACKOFF_SECONDS", 0.1)
    return lambda: start_ingest(callback_secrets=SECRET, outgoing_networks="127.0.0.0/8")


Settled = Callable[[str], Awaitable[Callback]]


@pytest.fixture
def settled(bus: Bus, tenant: str) -> Settled:
    """A function that returns a job's callback once it is delivered or has failed."""
    records = RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord)

    async def settle(name: str) -> Callback:
        key = subjects.record(tenant, name.removeprefix("transcriptions/"))
        async with asyncio.timeout(DEADLINE_SECONDS), records.watch(key) as changes:
            async for change in changes:
                if isinstance(change, Change) and change.value is not None:
                    callback = change.value.callback
                    if callback.state in (Callback.STATE_DELIVERED, Callback.STATE_FAILED):
                        return callback
        raise AssertionError("a watch does not end")

    return settle


async def test_the_end_of_a_job_is_sent(
    calling: Calling, receiver: Receiver, settled: Settled, tenant: str, speech: bytes
) -> None:
    """A callback is a POST of the job as JSON, signed with the tenant's secret. The job has its delivery."""
    ingest = await calling()
    job = await ingest.transcribe(content=speech, callback={"uri": receiver.url})
    assert job.callback.state == Callback.STATE_UNSPECIFIED
    await cancel(ingest, job.name)
    headers, body = await receiver.next()
    sent = json.loads(body)
    assert (sent["type"], sent["data"]["name"]) == ("transcription.cancelled", job.name)
    assert sent["data"]["state"] == "STATE_CANCELLED"
    message_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    assert message_id == job.name.removeprefix("transcriptions/")
    key = base64.b64decode(tenant_secret(SECRET, tenant).removeprefix("whsec_"))
    expected = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(expected).decode()}"
    callback = await settled(job.name)
    assert callback.state == Callback.STATE_DELIVERED
    assert [delivery.http_status for delivery in callback.deliveries] == [200]
    assert (await get(ingest, job.name)).callback == callback


async def test_a_callback_is_retried(calling: Calling, receiver: Receiver, settled: Settled, speech: bytes) -> None:
    """A callback is retried after an error and after a redirect, with the same id. The job has each delivery."""
    receiver.answers = [500, 302]
    ingest = await calling()
    job = await ingest.transcribe(content=speech, callback={"uri": receiver.url})
    await cancel(ingest, job.name)
    ids = {(await receiver.next())[0]["webhook-id"] for _ in range(3)}
    assert len(ids) == 1
    callback = await settled(job.name)
    assert [delivery.http_status for delivery in callback.deliveries] == [500, 302, 200]
    assert [bool(delivery.error) for delivery in callback.deliveries] == [True, True, False]


async def test_a_fault_of_the_service_has_an_end(
    start_ingest: StartIngest, receiver: Receiver, settled: Settled, speech: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A callback that the service cannot send is retried until its time is over, and then fails with a reason."""

    async def fail(*_: object) -> NoReturn:
        raise ValueError("a fault of the service")

    monkeypatch.setattr("tiro_ingest.callbacks.sender.BACKOFF_SECONDS", 0.1)
    monkeypatch.setattr("tiro_ingest.callbacks.delivery.CallbackClient.deliver", fail)
    ingest = await start_ingest(callback_secrets=SECRET, outgoing_networks="127.0.0.0/8", callback_seconds_max=1)
    job = await ingest.transcribe(content=speech, callback={"uri": receiver.url})
    await cancel(ingest, job.name)
    callback = await settled(job.name)
    assert callback.state == Callback.STATE_FAILED
    assert len(callback.deliveries) > 1
    assert {delivery.error for delivery in callback.deliveries} == {"the service could not send it"}


async def test_status_410_ends_the_retries(
    calling: Calling, receiver: Receiver, settled: Settled, speech: bytes
) -> None:
    """After a 410 the callback has failed."""
    receiver.answers = [410]
    ingest = await calling()
    job = await ingest.transcribe(content=speech, callback={"uri": receiver.url})
    await cancel(ingest, job.name)
    callback = await settled(job.name)
    assert (callback.state, len(callback.deliveries)) == (Callback.STATE_FAILED, 1)


async def test_a_receiver_that_does_not_answer_is_retried(
    calling: Calling,
    receiver: Receiver,
    settled: Settled,
    speech: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A delivery without an answer times out, and is retried."""
    monkeypatch.setattr("tiro_ingest.callbacks.delivery.TRY_SECONDS_MAX", 0.3)
    receiver.answers = [0]
    ingest = await calling()
    job = await ingest.transcribe(content=speech, callback={"uri": receiver.url})
    await cancel(ingest, job.name)
    callback = await settled(job.name)
    assert callback.state == Callback.STATE_DELIVERED
    assert [delivery.http_status for delivery in callback.deliveries] == [0, 200]


async def test_a_private_address_is_not_called(
    start_ingest: StartIngest, receiver: Receiver, settled: Settled, speech: bytes
) -> None:
    """A private address that the deployment does not allow is not called, and the delivery has the reason."""
    ingest = await start_ingest(callback_secrets=SECRET)
    job = await ingest.transcribe(content=speech, callback={"uri": receiver.url})
    await cancel(ingest, job.name)
    callback = await settled(job.name)
    assert callback.state == Callback.STATE_FAILED
    assert "public" in callback.deliveries[0].error
    assert receiver.received.empty()


async def test_another_ingest_delivers_pending_callbacks(
    start_ingest: StartIngest,
    calling: Calling,
    receiver: Receiver,
    settled: Settled,
    speech: bytes,
) -> None:
    """A pending callback is delivered by an ingest that starts later, from the job's record."""
    stopping = asyncio.Event()
    first = await start_ingest(stopping=stopping, callback_secrets=SECRET, outgoing_networks="127.0.0.0/8")
    receiver.answers = [503] * 3
    job = await first.transcribe(content=speech, callback={"uri": receiver.url})
    await cancel(first, job.name)
    await receiver.next()
    await calling()
    assert (await settled(job.name)).state == Callback.STATE_DELIVERED


async def test_an_invalid_callback_is_refused(ingest: Ingest, start_ingest: StartIngest, speech: bytes) -> None:
    """A job with a callback is refused without a signing secret, and with an invalid URL."""
    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "CALLBACKS_DISABLED"):
        await ingest.transcribe(content=speech, callback={"uri": "https://example.com/hook"})
    signing = await start_ingest(callback_secrets=SECRET)
    for uri in ("ftp://example.com/hook", "http://0/hook", "http://127.1/hook", "https://0x7f000001/hook"):
        async with refused(grpc.StatusCode.INVALID_ARGUMENT, "URI_INVALID"):
            await signing.transcribe(content=speech, callback={"uri": uri})


def test_signatures_are_those_of_standard_webhooks() -> None:
    """The signature equals the example of Standard Webhooks' libraries. Two secrets give two signatures."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - public
    sent_at = datetime.fromtimestamp(1614265330, UTC)
    arguments = ("msg_p5jXN8AQM9LWM0D4loKWxJek", sent_at, '{"test": 2432232314}')
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    headers = sign([secret], *arguments)
    assert headers["webhook-signature"] == expected
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (arguments[0], "1614265330")
    both = sign([tenant_secret(SECRET, "acme"), secret], *arguments)["webhook-signature"].split(" ")
    assert (len(both), both[1]) == (2, expected)
    assert tenant_secret(SECRET, "acme") != tenant_secret(SECRET, "other")
