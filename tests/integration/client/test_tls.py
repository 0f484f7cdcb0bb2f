"""TLS between client and service."""

from pathlib import Path

import grpc
import pytest
import trustme

from tests.integration.client.servers import Deployment
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_client import AsyncClient, Unavailable


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority."""
    return trustme.CA()


@pytest.fixture
def server_credentials(authority: trustme.CA) -> grpc.ServerCredentials:
    """A certificate for localhost."""
    issued = authority.issue_cert("localhost")
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    return grpc.ssl_server_credentials([(issued.private_key_pem.bytes(), chain)])


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    """The authority as a file."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


async def test_a_known_authority_is_trusted(
    deployment: Deployment, server_credentials: grpc.ServerCredentials, ca_file: Path
) -> None:
    """Calls use TLS with the CA file of the deployment."""
    deployment.jobs.jobs = [Transcription(name="transcriptions/one")]
    async with (
        deployment.serving("localhost:0", server_credentials) as address,
        AsyncClient(address, tls=ca_file) as client,
    ):
        assert (await client.get("one")).name == "transcriptions/one"


async def test_an_unknown_authority_is_not_trusted(
    deployment: Deployment, server_credentials: grpc.ServerCredentials
) -> None:
    """Without the CA file the connection fails."""
    async with (
        deployment.serving("localhost:0", server_credentials) as address,
        AsyncClient(address, tls=True) as client,
    ):
        with pytest.raises(Unavailable):
            await client.get("one")


async def test_a_missing_ca_file(tmp_path: Path) -> None:
    """A missing CA file is reported when the client is opened."""
    with pytest.raises(FileNotFoundError):
        async with AsyncClient("localhost:1", tls=tmp_path / "none.pem"):
            pass
