"""Interceptors and extra metadata: on every kind of call, without effect on retries, errors and live streams."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest

from tests.integration.client.servers import AWAY, PART_BYTES, Deployment
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import WatchTranscriptionResponse
from tiro_client import AsyncClient, Final, InvalidRequest, LiveConfig, SessionEnded, SessionStarted
from tiro_core.errors import invalid_argument

LARGE = bytes(range(256)) * 8192
"""2 MiB: uploaded in several messages."""


class Recorder:
    """Records the methods that are called, and adds metadata to each call."""

    def __init__(self) -> None:
        self.methods: list[str] = []

    async def pass_on(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """Make the call."""
        method = details.method
        # gRPC's types say text; it gives bytes.
        self.methods.append((method.decode() if isinstance(method, bytes) else method).rpartition("/")[2])
        metadata = grpc.aio.Metadata(*(details.metadata or ()), ("x-added", "by the interceptor"))
        changed = grpc.aio.ClientCallDetails(
            details.method, details.timeout, metadata, details.credentials, details.wait_for_ready
        )
        return await continuation(changed, request)


class UnaryUnary(Recorder, grpc.aio.UnaryUnaryClientInterceptor):
    """Of calls with one request and one response."""

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Record the call, and make it."""
        return await self.pass_on(continuation, client_call_details, request)


class UnaryStream(Recorder, grpc.aio.UnaryStreamClientInterceptor):
    """Of calls with one request and several responses."""

    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Record the call, and make it."""
        return await self.pass_on(continuation, client_call_details, request)


class StreamUnary(Recorder, grpc.aio.StreamUnaryClientInterceptor):
    """Of calls with several requests and one response."""

    async def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        """Record the call, and make it."""
        return await self.pass_on(continuation, client_call_details, request_iterator)


class StreamStream(Recorder, grpc.aio.StreamStreamClientInterceptor):
    """Of calls with several requests and several responses."""

    async def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        """Record the call, and make it."""
        return await self.pass_on(continuation, client_call_details, request_iterator)


@pytest.fixture
def recorders() -> list[Any]:
    """An interceptor for each kind of call."""
    return [UnaryUnary(), UnaryStream(), StreamUnary(), StreamStream()]


@pytest.fixture
async def client(address: str, recorders: list[Any]) -> AsyncIterator[AsyncClient]:
    """A client with all of them."""
    metadata: dict[str, str | bytes] = {"x-tenant-hint": "a", "x-trace-bin": b"\0\1"}
    async with AsyncClient(address, api_key="tiro_a", metadata=metadata, interceptors=recorders) as opened:
        yield opened


async def pieces(count: int) -> AsyncIterator[bytes]:
    """Pieces of audio."""
    for _ in range(count):
        yield bytes(320)


async def test_metadata_of_a_call(client: AsyncClient, deployment: Deployment) -> None:
    """A call carries the key, the caller's metadata, and what an interceptor adds. A retry is intercepted too."""
    deployment.jobs.failures = [AWAY]
    deployment.jobs.jobs = [Transcription(name="transcriptions/one")]
    assert (await client.get("one")).name == "transcriptions/one"
    assert len(deployment.jobs.metadata) == 2
    for metadata in deployment.jobs.metadata:
        assert metadata["authorization"] == "Bearer tiro_a"
        assert (metadata["x-tenant-hint"], metadata["x-trace-bin"]) == ("a", b"\0\1")
        assert metadata["x-added"] == "by the interceptor"


async def test_every_kind_of_call(client: AsyncClient, deployment: Deployment, recorders: list[Any]) -> None:
    """Uploads, watches and live streams are intercepted, and resumed after a break."""
    deployment.uploads.break_after = [PART_BYTES * 3]
    upload = await client.upload(LARGE)
    assert upload.size_bytes == len(LARGE)
    succeeded = Transcription(name="transcriptions/one", state=Transcription.STATE_SUCCEEDED)
    deployment.jobs.events = [
        WatchTranscriptionResponse(sequence=1, state_changed=Transcription(state=Transcription.STATE_QUEUED)),
        WatchTranscriptionResponse(sequence=2, state_changed=succeeded),
    ]
    deployment.jobs.watch_break_after = [1]
    assert [event.sequence async for event in client.watch("one")] == [1, 2]
    events = [event async for event in client.stream(pieces(3), sample_rate=16000)]
    assert isinstance(events[-1], SessionEnded)
    called = [recorder.methods for recorder in recorders]
    assert called == [
        ["CreateUpload", "GetUpload"],
        ["WatchTranscription", "WatchTranscription"],
        ["WriteUpload", "WriteUpload"],
        ["StreamingTranscribe"],
    ]


async def test_a_live_session_by_hand(client: AsyncClient) -> None:
    """Sending and reading take turns."""
    async with client.open_stream(LiveConfig(sample_rate=16000)) as live:
        assert isinstance(await anext(live), SessionStarted)
        await live.send(bytes(320))
        await live.finalize()
        assert [type(await anext(live)).__name__ for _ in range(2)] == ["Partial", "Final"]
        await live.end()
        assert not [event async for event in live if isinstance(event, Final)]


async def test_refusals_keep_their_reason(client: AsyncClient, deployment: Deployment) -> None:
    """Also while audio or an upload is being sent."""
    deployment.live.refusal = invalid_argument(reasons.ERROR_REASON_UNKNOWN_MODEL, "no such model")
    for _ in range(10):
        with pytest.raises(InvalidRequest, match="no such model"):
            await anext(client.stream(pieces(20), sample_rate=16000))
    deployment.uploads.size_bytes_max = 1000
    with pytest.raises(InvalidRequest) as refused:
        await client.upload(LARGE)
    assert refused.value.reason == "UPLOAD_TOO_LARGE"


async def test_a_call_that_the_service_ends_leaves_no_task(client: AsyncClient, deployment: Deployment) -> None:
    """Also when nothing is being sent: gRPC's task that waits for the next request is ended (see `leaves_no_tasks`)."""
    deployment.live.refusal = invalid_argument(reasons.ERROR_REASON_UNKNOWN_MODEL, "no such model")
    async with client.open_stream(LiveConfig(sample_rate=16000)) as live:
        with pytest.raises(InvalidRequest, match="no such model"):
            await anext(live)
