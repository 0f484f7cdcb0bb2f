"""TLS between client and service."""

import asyncio
from pathlib import Path
from typing import TypedDict

import grpc
import pytest
import trustme

from tests.integration.client.servers import Deployment
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_client import AsyncClient, Client, Unavailable


class ClientFiles(TypedDict):
    """Arguments of a client: its certificate, and the key."""

    client_certificate: Path
    client_key: Path


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority."""
    return trustme.CA()


@pytest.fixture
def server_credentials(authority: trustme.CA) -> grpc.ServerCredentials:
    """A certificate for localhost."""
    return grpc.ssl_server_credentials([_pair(authority)])


def _pair(authority: trustme.CA) -> tuple[bytes, bytes]:
    issued = authority.issue_cert("localhost")
    return issued.private_key_pem.bytes(), b"".join(blob.bytes() for blob in issued.cert_chain_pems)


@pytest.fixture
def mutual_credentials(authority: trustme.CA) -> grpc.ServerCredentials:
    """The same, for a server that asks for a certificate of each client."""
    roots = authority.cert_pem.bytes()
    return grpc.ssl_server_credentials([_pair(authority)], root_certificates=roots, require_client_auth=True)


@pytest.fixture
def client_files(authority: trustme.CA, tmp_path: Path) -> ClientFiles:
    """A client's certificate and its key, as arguments of a client."""
    key, chain = _pair(authority)
    (tmp_path / "client.pem").write_bytes(chain)
    (tmp_path / "client-key.pem").write_bytes(key)
    return {"client_certificate": tmp_path / "client.pem", "client_key": tmp_path / "client-key.pem"}


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


async def test_a_client_shows_its_certificate(
    deployment: Deployment,
    mutual_credentials: grpc.ServerCredentials,
    ca_file: Path,
    client_files: ClientFiles,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Mutual TLS, with files given as arguments or in the environment, for both clients."""
    deployment.jobs.jobs = [Transcription(name="transcriptions/one")]
    async with deployment.serving("localhost:0", mutual_credentials) as address:
        async with AsyncClient(address, tls=ca_file, **client_files) as client:
            assert (await client.get("one")).name == "transcriptions/one"

        def get() -> str:
            with Client(address, tls=ca_file) as blocking:
                return blocking.get("one").name

        monkeypatch.setenv("TIRO_TLS_CLIENT_CERTIFICATE", str(client_files["client_certificate"]))
        monkeypatch.setenv("TIRO_TLS_CLIENT_KEY", str(client_files["client_key"]))
        assert await asyncio.to_thread(get) == "transcriptions/one"


async def test_a_client_without_a_certificate_is_refused(
    deployment: Deployment, mutual_credentials: grpc.ServerCredentials, ca_file: Path
) -> None:
    """By a server that asks for one."""
    async with (
        deployment.serving("localhost:0", mutual_credentials) as address,
        AsyncClient(address, tls=ca_file) as client,
    ):
        with pytest.raises(Unavailable):
            await client.get("one")


async def test_a_missing_ca_file(tmp_path: Path) -> None:
    """A missing CA file is reported when the client is opened."""
    with pytest.raises(FileNotFoundError):
        async with AsyncClient("localhost:1", tls=tmp_path / "none.pem"):
            pass
