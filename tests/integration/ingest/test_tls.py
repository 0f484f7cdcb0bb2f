"""TLS of ingest."""

import asyncio
from pathlib import Path

import grpc
import pytest
import trustme

from tests.integration.ingest.conftest import StartIngest, settings_for
from tests.support.nats import NatsServer
from tiro.transcription.v1.upload_pb2 import Upload
from tiro.transcription.v1.upload_service_pb2 import CreateUploadRequest
from tiro.transcription.v1.upload_service_pb2_grpc import UploadServiceStub
from tiro_core.server.grpc_server import ServerSettingsError
from tiro_ingest.app import open_ingest


async def test_calls_over_tls(start_ingest: StartIngest, tmp_path: Path) -> None:
    """With a certificate and its key a call over TLS is served, and a plain-text call fails."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(chain, append=True)
    certificate.private_key_pem.write_to_path(key)
    ingest = await start_ingest(tls_certificate=chain, tls_key=key)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ingest.create()
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    async with grpc.aio.secure_channel(f"localhost:{ingest.port}", credentials) as channel:
        upload = await UploadServiceStub(channel).CreateUpload(CreateUploadRequest(), **ingest.options)
    assert upload.state == Upload.STATE_OPEN


@pytest.mark.parametrize(
    "changes", [{"tls_certificate": Path("chain.pem")}, {"auth": "off", "ingest_address": "0.0.0.0:0"}]
)
async def test_insecure_settings_are_refused(nats_server: NatsServer, changes: dict[str, object]) -> None:
    """A certificate without its key, and no authentication beyond loopback, are refused."""
    with pytest.raises(BaseExceptionGroup) as caught:
        async with open_ingest(settings_for(nats_server, **changes), asyncio.Event()):
            pass
    assert caught.group_contains(ServerSettingsError)
