"""A streamer inside the test's own event loop, a scripted worker, and a client that speaks the proto."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from tests.support.nats import NatsServer
from tests.support.scripted_worker import ScriptedWorker, running_worker
from tiro.speech.v1.audio_pb2 import AudioEncoding, AudioFormat
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.streaming.v1 import streaming_pb2 as streaming
from tiro.streaming.v1.streaming_pb2_grpc import StreamingServiceStub
from tiro_core.messaging.connection import Bus
from tiro_streamer.app import open_streamer
from tiro_streamer.settings import StreamerSettings

RATE = 16_000
LINEAR16 = AudioFormat(encoding=AudioEncoding.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=RATE)
Request = streaming.StreamingTranscribeRequest
Response = streaming.StreamingTranscribeResponse
UNKNOWN_SESSION = "01890a5d-ac96-774b-bcce-b302099a8057"


def reason_of(error: Any) -> str:
    """The reason in the details of an error of either kind of client."""
    return str(info_of(error, error_details_pb2.ErrorInfo).reason)


def info_of(error: Any, kind: Any) -> Any:
    """One of an error's details."""
    status = rpc_status.from_call(error)
    assert status is not None, error
    for detail in status.details:
        found = kind()
        if detail.Unpack(found):
            return found
    raise AssertionError(f"there is no {kind.__name__} in {status}")


@dataclass
class Client:
    """Opens streams to one streamer."""

    address: str
    stub: "StreamingServiceStub"
    engine: str
    metadata: tuple[tuple[str, str], ...] = ()

    def config(self, audio_format: AudioFormat = LINEAR16, **changes: Any) -> Request:
        """A config for the test's worker."""
        recognition = RecognitionConfig(engine=self.engine, model="counter")
        fields = {"format": audio_format, "recognition": recognition, "enable_interim_results": True, **changes}
        return Request(config=streaming.StreamingConfig(**fields))

    def open(self) -> Any:
        """A call with nothing sent."""
        open_stream: Any = self.stub.StreamingTranscribe  # the stub does not know that requests may come later
        return open_stream(metadata=self.metadata)

    async def start(self, config: Request | None = None) -> Any:
        """A call whose session has started."""
        call = self.open()
        await call.write(config or self.config())
        started = await call.read()
        assert started.HasField("session_started"), started
        return call

    async def converse(self, *requests: Request) -> "Conversation":
        """Send everything, half-close, and read to the end."""
        call = self.open()
        for request in requests:
            await call.write(request)
        await call.done_writing()
        return await read_all(call)

    async def be_refused(self, *requests: Request) -> Any:
        """Send everything, and return the error that comes back.

        Uses gRPC's blocking client: if a refusal arrives while a message is being sent, the asynchronous one raises
        INTERNAL instead.
        """
        return await asyncio.to_thread(self._be_refused, requests)

    def _be_refused(self, requests: Sequence[Request]) -> Any:
        with grpc.insecure_channel(self.address) as channel:
            responses = StreamingServiceStub(channel).StreamingTranscribe(iter(requests))
            with pytest.raises(grpc.RpcError) as caught:
                list(responses)
        return caught.value


@dataclass
class Conversation:
    """All responses of a call."""

    responses: list[Response] = field(default_factory=list)

    def kinds(self) -> list[str]:
        """The kinds of responses, without partials and acknowledgements."""
        return [str(item.WhichOneof("response")) for item in self.numbered()]

    def numbered(self) -> list[Response]:
        """Finals and states."""
        return [item for item in self.responses if item.sequence]

    @property
    def last(self) -> Response:
        """The last message."""
        return self.responses[-1]


async def read_all(call: Any) -> Conversation:
    """Everything from here to the end of a call."""
    conversation = Conversation()
    while (response := await call.read()) is not grpc.aio.EOF:
        conversation.responses.append(response)
    return conversation


async def read_to_error(call: Any) -> tuple[Conversation, grpc.aio.AioRpcError]:
    """Everything from here to the error that a call ends with."""
    conversation = Conversation()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        while (response := await call.read()) is not grpc.aio.EOF:
            conversation.responses.append(response)
    return conversation, caught.value


async def read_until(call: Any, kind: str) -> Response:
    """The next response of a kind."""
    while True:
        response = await call.read()
        assert isinstance(response, Response), await call.details()
        if response.WhichOneof("response") == kind:
            return response


async def error_of(call: Any) -> grpc.aio.AioRpcError:
    """The error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await read_all(call)
    return caught.value


def pieces(data: bytes, size: int) -> list[Request]:
    """Requests of `size` bytes each."""
    return [Request(audio=data[begin : begin + size]) for begin in range(0, len(data), size)]


@pytest.fixture
def engine() -> str:
    """The name of an engine that no other test's worker has."""
    return f"scripted-{secrets.token_hex(6)}"


@pytest.fixture
async def worker(bus: Bus, engine: str) -> AsyncIterator[ScriptedWorker]:
    """A registered worker."""
    async with running_worker(bus, engine) as worker:
        yield worker


def settings_for(nats: NatsServer, **changes: Any) -> StreamerSettings:
    """Settings for a streamer in a test."""
    base = {
        "nats_url": nats.url,
        "nats_monitor_url": nats.monitor_url,
        "streamer_address": "127.0.0.1:0",
        "streamer_metrics_address": "",
        "auth": "off",
        "grace_seconds": 0.2,
    }
    return StreamerSettings.model_validate({**base, **changes})


@asynccontextmanager
async def running_streamer(settings: StreamerSettings, engine: str) -> AsyncIterator[Client]:
    """A streamer, and a client of it."""
    async with open_streamer(settings, asyncio.Event()) as address, connected(address, engine) as client:
        yield client


@asynccontextmanager
async def connected(address: str, engine: str, *metadata: tuple[str, str]) -> AsyncIterator[Client]:
    """A client of a streamer."""
    async with grpc.aio.insecure_channel(address) as channel:
        yield Client(address, StreamingServiceStub(channel), engine, metadata)


StartStreamer = Callable[..., Awaitable[Client]]


@pytest.fixture
async def start_streamer(nats_server: NatsServer, engine: str) -> AsyncIterator[StartStreamer]:
    """Starts streamers with settings of the test's own. They stop at its end."""
    async with AsyncExitStack() as stack:

        async def start(**changes: Any) -> Client:
            return await stack.enter_async_context(running_streamer(settings_for(nats_server, **changes), engine))

        yield start


@pytest.fixture
async def client(start_streamer: StartStreamer, worker: ScriptedWorker) -> Client:
    """A client of a streamer that has seen the worker."""
    return await start_streamer()


def environment_for(nats: NatsServer) -> dict[str, str]:
    """The environment of a streamer process."""
    return {
        "TIRO_NATS_URL": nats.url,
        "TIRO_NATS_MONITOR_URL": nats.monitor_url,
        "TIRO_STREAMER_ADDRESS": "127.0.0.1:0",
        "TIRO_STREAMER_METRICS_ADDRESS": "127.0.0.1:0",
        "TIRO_AUTH": "off",
        "TIRO_GRACE_SECONDS": "0.5",
    }
