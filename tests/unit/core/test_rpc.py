"""The gRPC server of all services, over a real connection."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
import trustme
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2
from grpc_status import rpc_status

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.transcription.v1 import transcription_pb2, transcription_service_pb2, transcription_service_pb2_grpc
from tiro_core.errors import not_found
from tiro_core.server.auth.tenant import NoAuthentication, current_tenant
from tiro_core.server.grpc_server import ServerSettingsError, create_server
from tiro_core.settings import ServerSettings

SECONDS = 10
MISSING = "transcriptions/" + "0" * 36
ID = "transcriptions/01a1fbdb-a7ce-75f8-a1b7-53cb96486139"
Get = transcription_service_pb2.GetTranscriptionRequest
Watch = transcription_service_pb2.WatchTranscriptionRequest


class Servicer(transcription_service_pb2_grpc.TranscriptionServiceServicer):
    """A servicer whose methods end in each possible way."""

    def __init__(self) -> None:
        self.release = asyncio.Event()

    async def GetTranscription(self, request: Any, context: Any) -> Any:  # noqa: N802 - the contract's name
        """Raise NOT_FOUND, fail, wait, or answer, by the name."""
        if request.name == MISSING:
            raise not_found(reasons.ERROR_REASON_TRANSCRIPTION_NOT_FOUND, "there is none")
        if request.name.endswith("1"):
            raise ZeroDivisionError
        if request.name.endswith("2"):
            await self.release.wait()
        return transcription_pb2.Transcription(name=request.name, display_name=current_tenant())

    async def WatchTranscription(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802 - the contract's name
        """Answer once, then fail."""
        yield transcription_service_pb2.WatchTranscriptionResponse(sequence=1)
        raise not_found(reasons.ERROR_REASON_TRANSCRIPTION_NOT_FOUND, "gone")


def settings(**changes: Any) -> ServerSettings:
    """Settings of a server for tests."""
    return ServerSettings.model_validate({"auth": "off", **changes})


@pytest.fixture
async def servicer() -> Servicer:
    """The servicer."""
    return Servicer()  # type: ignore[abstract] # two methods are enough here


@pytest.fixture
async def channel(servicer: Servicer) -> AsyncIterator[grpc.aio.Channel]:
    """A connection to a server with a limit of two concurrent calls."""
    server, health, port = create_server(settings(calls_max=2), "127.0.0.1:0", NoAuthentication(), ("a.Service",))
    transcription_service_pb2_grpc.add_TranscriptionServiceServicer_to_server(servicer, server)
    await health.set(serving=True)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


def info_of(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    """The error's ErrorInfo."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type] # an error of a call has its status
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return info


async def test_an_error_is_a_status_with_a_reason(channel: grpc.aio.Channel) -> None:
    """The error that a method raises arrives with code, message and reason."""
    stub = transcription_service_pb2_grpc.TranscriptionServiceStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetTranscription(Get(name=MISSING), timeout=SECONDS)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == "there is none"
    assert info_of(caught.value).reason == "TRANSCRIPTION_NOT_FOUND"


async def test_an_unexpected_error_reveals_only_its_id(channel: grpc.aio.Channel) -> None:
    """The caller gets an id that is in the log, too, and no traceback."""
    stub = transcription_service_pb2_grpc.TranscriptionServiceStub(channel)
    with structlog.testing.capture_logs() as log, pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetTranscription(Get(name=ID[:-1] + "1"), timeout=SECONDS)
    info = info_of(caught.value)
    assert (caught.value.code(), info.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "ZeroDivision" not in str(caught.value)
    assert info.metadata["error_id"] in [line.get("error_id") for line in log]


async def test_a_stream_that_breaks_ends_with_its_reason(channel: grpc.aio.Channel) -> None:
    """Responses before the error arrive."""
    call = transcription_service_pb2_grpc.TranscriptionServiceStub(channel).WatchTranscription(
        Watch(name=ID), timeout=SECONDS
    )
    seen = []
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for response in call:
            seen.append(response.sequence)  # noqa: PERF401 - the loop is meant to raise
    assert seen == [1]
    assert info_of(caught.value).reason == "TRANSCRIPTION_NOT_FOUND"


async def test_a_request_that_breaks_a_rule_never_reaches_the_method(channel: grpc.aio.Channel) -> None:
    """The rules of the proto are enforced, and the field is named."""
    stub = transcription_service_pb2_grpc.TranscriptionServiceStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetTranscription(Get(name="nonsense"), timeout=SECONDS)
    assert info_of(caught.value).reason == "INVALID_REQUEST"
    assert "name" in str(caught.value.details())


async def test_calls_beyond_the_limit_are_refused_but_health_is_answered(
    channel: grpc.aio.Channel, servicer: Servicer
) -> None:
    """At the limit a call is RESOURCE_EXHAUSTED, while health checks succeed. Later calls succeed again."""
    stub = transcription_service_pb2_grpc.TranscriptionServiceStub(channel)
    waiting = [stub.GetTranscription(Get(name=ID[:-1] + "2"), timeout=SECONDS) for _ in range(3)]
    done, _ = await asyncio.wait(
        [asyncio.ensure_future(_code(call)) for call in waiting], return_when="FIRST_COMPLETED"
    )
    assert [task.result() for task in done] == [grpc.StatusCode.RESOURCE_EXHAUSTED]
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    answer = await check(health_pb2.HealthCheckRequest(service="a.Service"), timeout=SECONDS)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    servicer.release.set()
    codes = [await _code(call) for call in waiting]
    assert sorted(code.name for code in codes) == ["OK", "OK", "RESOURCE_EXHAUSTED"]
    assert (await stub.GetTranscription(Get(name=ID), timeout=SECONDS)).display_name == "default"


class ByHeader:
    """Authentication that takes the authorization header as the tenant."""

    def tenant_of(self, authorization: str | None) -> str:
        """The tenant."""
        return authorization or "none"


async def test_a_tenant_has_a_share_of_the_calls(servicer: Servicer) -> None:
    """A tenant beyond its share gets TENANT_LIMIT_REACHED, and other tenants are served."""
    limits = settings(auth="api-key", calls_max=4, tenant_share=0.5)
    server, _, port = create_server(limits, "127.0.0.1:0", ByHeader(), ())
    transcription_service_pb2_grpc.add_TranscriptionServiceServicer_to_server(servicer, server)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = transcription_service_pb2_grpc.TranscriptionServiceStub(channel)
        greedy = (("authorization", "greedy"),)
        waiting = [
            asyncio.ensure_future(stub.GetTranscription(Get(name=ID[:-1] + "2"), timeout=SECONDS, metadata=greedy))
            for _ in range(3)
        ]
        done, rest = await asyncio.wait(waiting, return_when="FIRST_COMPLETED")
        [refused] = done
        error = refused.exception()
        assert isinstance(error, grpc.aio.AioRpcError)
        assert (error.code(), info_of(error).reason) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "TENANT_LIMIT_REACHED",
        )
        other = (("authorization", "other"),)
        answer = await stub.GetTranscription(Get(name=ID), timeout=SECONDS, metadata=other)
        assert answer.display_name == "other"
        servicer.release.set()
        assert [(await call).display_name for call in rest] == ["greedy", "greedy"]
    await server.stop(None)


async def _code(call: Any) -> grpc.StatusCode:
    code: grpc.StatusCode = await call.code()
    return code


async def test_no_authentication_is_for_loopback_only() -> None:
    """A server that listens beyond loopback must authenticate its callers."""
    with pytest.raises(ServerSettingsError, match="loopback"):
        create_server(settings(), "0.0.0.0:0", NoAuthentication(), ())


async def test_half_of_tls_is_refused(tmp_path: Path) -> None:
    """A certificate without its key is refused, not ignored."""
    with pytest.raises(ServerSettingsError, match="key"):
        create_server(settings(tls_certificate=tmp_path / "c"), "127.0.0.1:0", NoAuthentication(), ())


async def test_tls(tmp_path: Path, servicer: Servicer) -> None:
    """With a certificate and its key the server speaks TLS."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    (tmp_path / "key.pem").write_bytes(certificate.private_key_pem.bytes())
    (tmp_path / "cert.pem").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    tls = settings(tls_certificate=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem")
    server, _, port = create_server(tls, "127.0.0.1:0", NoAuthentication(), ())
    transcription_service_pb2_grpc.add_TranscriptionServiceServicer_to_server(servicer, server)
    await server.start()
    trusted = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    async with grpc.aio.secure_channel(f"localhost:{port}", trusted) as channel:
        stub = transcription_service_pb2_grpc.TranscriptionServiceStub(channel)
        assert (await stub.GetTranscription(Get(name=ID), timeout=SECONDS)).name == ID
    await server.stop(None)


async def test_a_taken_address_is_an_error(channel: grpc.aio.Channel) -> None:
    """A port that another server has is an error: two services would share callers."""
    server, _, port = create_server(settings(), "127.0.0.1:0", NoAuthentication(), ())
    with pytest.raises(OSError, match="cannot listen"):
        create_server(settings(), f"127.0.0.1:{port}", NoAuthentication(), ())
    await server.stop(None)
