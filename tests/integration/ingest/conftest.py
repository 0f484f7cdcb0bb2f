"""Ingest in the test's event loop, called over gRPC with an API key."""

import asyncio
import io
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import av
import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from tests.support.nats import NatsServer
from tiro.transcription.v1.engine_service_pb2_grpc import EngineServiceStub
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import CreateTranscriptionRequest
from tiro.transcription.v1.transcription_service_pb2_grpc import TranscriptionServiceStub
from tiro.transcription.v1.upload_pb2 import Upload
from tiro.transcription.v1.upload_service_pb2 import CreateUploadRequest, GetUploadRequest, WriteUploadRequest
from tiro.transcription.v1.upload_service_pb2_grpc import UploadServiceStub
from tiro_core.blobs.interface import PART_BYTES
from tiro_core.messaging.connection import Bus
from tiro_core.server.auth.keys import ApiKeys
from tiro_ingest.app import open_ingest
from tiro_ingest.settings import IngestSettings

SAMPLES = Path(__file__).parents[3] / "samples"
DEADLINE_SECONDS = 30.0
MESSAGE_BYTES = 256 * 1024

D = TypeVar("D")


def detail(error: grpc.aio.AioRpcError, kind: type[D]) -> D:
    """One of an error's details."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type] # an AioRpcError has what it reads
    assert status is not None, error
    for packed in status.details:
        found: Any = kind()
        if packed.Unpack(found):
            return found  # type: ignore[no-any-return] # it is of the kind asked for
    raise AssertionError(f"there is no {kind.__name__} in {status}")


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The reason in an error's details."""
    reason: str = detail(error, error_details_pb2.ErrorInfo).reason
    return reason


@asynccontextmanager
async def refused(code: grpc.StatusCode, reason: str) -> AsyncIterator[list[grpc.aio.AioRpcError]]:
    """Expect an error with this code and reason. The list has it afterwards."""
    errors: list[grpc.aio.AioRpcError] = []
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield errors
    errors.append(caught.value)
    assert (caught.value.code(), reason_of(caught.value)) == (code, reason), caught.value.details()


@dataclass
class Ingest:
    """A client of one ingest service."""

    channel: grpc.aio.Channel
    port: int
    key: str

    @property
    def options(self) -> dict[str, Any]:
        """Options of every call: a deadline and the key."""
        return {"timeout": DEADLINE_SECONDS, "metadata": (("authorization", f"Bearer {self.key}"),)}

    @property
    def uploads(self) -> Any:
        """The uploads' stub. Any, because the types of the generated one are of blocking calls."""
        return UploadServiceStub(self.channel)

    @property
    def jobs(self) -> Any:
        """The jobs' stub. Any, as above."""
        return TranscriptionServiceStub(self.channel)

    @property
    def engines(self) -> Any:
        """The engines' stub. Any, as above."""
        return EngineServiceStub(self.channel)

    async def create(self, *, size_bytes: int = 0, request_id: str = "") -> Upload:
        """Create an upload."""
        request = CreateUploadRequest(upload=Upload(size_bytes=size_bytes), request_id=request_id)
        upload: Upload = await self.uploads.CreateUpload(request, **self.options)
        return upload

    async def write(self, name: str, data: bytes, *, offset: int = 0, finish: bool = True, sha256: str = "") -> Upload:
        """Write bytes, and finish the upload if `finish`."""
        requests = messages(name, data, offset=offset, finish=finish, sha256=sha256)
        upload: Upload = await self.uploads.WriteUpload(requests, **self.options)
        return upload

    async def get(self, name: str) -> Upload:
        """Read an upload."""
        upload: Upload = await self.uploads.GetUpload(GetUploadRequest(name=name), **self.options)
        return upload

    async def upload(self, data: bytes) -> Upload:
        """Create, write and finish an upload."""
        return await self.write((await self.create()).name, data)

    async def transcribe(self, *, request_id: str = "", **fields: Any) -> Transcription:
        """Create a job."""
        request = CreateTranscriptionRequest(transcription=Transcription(**fields), request_id=request_id)
        job: Transcription = await self.jobs.CreateTranscription(request, **self.options)
        return job


def messages(
    name: str, data: bytes, *, offset: int = 0, finish: bool = True, sha256: str = ""
) -> list[WriteUploadRequest]:
    """The messages that write `data`.

    Small data is one message, so that no message is under way when an early answer arrives: grpc.aio sometimes reports
    that case as INTERNAL instead of the answer.
    """
    pieces = [data[at : at + MESSAGE_BYTES] for at in range(0, len(data), MESSAGE_BYTES)] or [b""]
    requests = [WriteUploadRequest(data=piece) for piece in pieces]
    requests[0].name = name
    requests[0].write_offset = offset
    requests[-1].finish_write = finish
    requests[-1].sha256 = sha256
    return requests


def settings_for(nats: NatsServer, **changes: Any) -> IngestSettings:
    """Settings for an ingest in a test."""
    base = {
        "nats_url": nats.url,
        "nats_monitor_url": nats.monitor_url,
        "ingest_address": "127.0.0.1:0",
        "ingest_metrics_address": "",
        "grace_seconds": 5,
        "storage_reserve_bytes": 0,
        "default_engine": "fake",
    }
    return IngestSettings.model_validate({**base, **changes})


@asynccontextmanager
async def running_ingest(
    settings: IngestSettings, stopping: asyncio.Event
) -> AsyncIterator[tuple[grpc.aio.Channel, int]]:
    """An ingest: a channel to it, and its port."""
    async with open_ingest(settings, stopping) as port, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel, port


StartIngest = Callable[..., Awaitable[Ingest]]


@pytest.fixture
async def key(bus: Bus, tenant: str) -> str:
    """An API key of the test's tenant."""
    made, _ = await ApiKeys(bus).create(tenant, "test")
    return made


@pytest.fixture
async def start_ingest(nats_server: NatsServer, key: str) -> AsyncIterator[StartIngest]:
    """A function that starts an ingest with some settings. It stops at the end of the test."""
    async with AsyncExitStack() as stack:

        async def start(*, stopping: asyncio.Event | None = None, **changes: Any) -> Ingest:
            settings = settings_for(nats_server, **changes)
            running = running_ingest(settings, stopping or asyncio.Event())
            channel, port = await stack.enter_async_context(running)
            return Ingest(channel, port, key)

        yield start


@pytest.fixture
async def ingest(start_ingest: StartIngest) -> Ingest:
    """A client of an ingest with default settings."""
    return await start_ingest()


@pytest.fixture
async def stranger(ingest: Ingest, bus: Bus) -> Ingest:
    """A client of the same ingest with another tenant's key."""
    made, _ = await ApiKeys(bus).create(f"test-{secrets.token_hex(6)}", "test")
    return Ingest(ingest.channel, ingest.port, made)


@pytest.fixture(scope="session")
def speech() -> bytes:
    """A short recording."""
    return (SAMPLES / "dictation.wav").read_bytes()


@pytest.fixture(scope="session")
def long_recording() -> bytes:
    """A recording of several parts, the last one incomplete. Noise, because it cannot be compressed."""
    samples = np.random.default_rng(7).integers(-3000, 3000, (1, 2 * PART_BYTES), dtype=np.int16)
    return wav(samples, 16_000)


def wav(samples: "np.typing.NDArray[np.int16]", rate_hz: int) -> bytes:
    """A wav file of mono samples."""
    return encoded(samples, rate_hz, container="wav", codec="pcm_s16le")


def encoded(samples: "np.typing.NDArray[np.int16]", rate_hz: int, *, container: str, codec: str) -> bytes:
    """A file of mono samples."""
    sink = io.BytesIO()
    with av.open(sink, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=rate_hz)  # Any, because its type depends on the codec's name
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = rate_hz
        resampler = av.AudioResampler(
            format=stream.format.name, layout="mono", rate=rate_hz, frame_size=stream.frame_size or None
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return sink.getvalue()
