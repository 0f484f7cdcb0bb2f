"""TLS, by settings."""

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


async def test_calls_can_be_encrypted(start_ingest: StartIngest, tmp_path: Path) -> None:
    """With a certificate and its key a caller who trusts the issuer is served, and one in the clear is not."""
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
async def test_settings_that_would_leave_a_door_open_are_refused(
    nats_server: NatsServer, changes: dict[str, object]
) -> None:
    """Half of TLS, and no authentication where others can reach it."""
    with pytest.raises(BaseExceptionGroup) as caught:
        async with open_ingest(settings_for(nats_server, **changes), asyncio.Event()):
            pass
    assert caught.group_contains(ServerSettingsError)
