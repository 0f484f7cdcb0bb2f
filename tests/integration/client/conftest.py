"""A fake deployment that implements the contract, and a client of it."""

import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.integration.client.servers import Deployment
from tiro_client import AsyncClient


@pytest.fixture
def deployment() -> Deployment:
    """Servers whose behaviour a test sets."""
    return Deployment()


@pytest.fixture
async def address(deployment: Deployment) -> AsyncIterator[str]:
    """The address of the deployment."""
    async with deployment.serving() as served:
        yield served


@pytest.fixture
async def client(address: str) -> AsyncIterator[AsyncClient]:
    """A client of the deployment, with a key."""
    async with AsyncClient(address, api_key="tiro_test") as opened:
        yield opened


@pytest.fixture
def unused_address() -> Iterator[str]:
    """An address without a server, for as long as the test runs."""
    with socket.socket() as reserved:
        # Bound and not listening: connections are refused, and no other process gets the port.
        reserved.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{reserved.getsockname()[1]}"


@pytest.fixture
def old_name(tmp_path: Path) -> Path:
    """A file whose name is in Latin-1, as old archives have it."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/Jos\xe9.wav"))
    path.write_bytes(b"speech")
    return path
