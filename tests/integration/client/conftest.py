"""A fake deployment that implements the contract, and a client of it."""

import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.integration.client.command import silence
from tests.integration.client.servers import Deployment, seconds
from tiro.speech.v1.transcript_pb2 import Segment
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import WatchTranscriptionResponse
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


@pytest.fixture
def succeeding(deployment: Deployment) -> Deployment:
    """A deployment whose jobs succeed with two segments."""
    states = (Transcription.STATE_QUEUED, Transcription.STATE_RUNNING, Transcription.STATE_SUCCEEDED)
    deployment.jobs.events = [
        WatchTranscriptionResponse(sequence=sequence, state_changed=Transcription(state=state))
        for sequence, state in enumerate(states, start=1)
    ]
    deployment.jobs.segments = [
        Segment(text="Buenos días.", end_offset=seconds(1)),
        Segment(text="Adiós.", start_offset=seconds(1), end_offset=seconds(2.5)),
    ]
    return deployment


@pytest.fixture
def recordings(tmp_path: Path) -> list[Path]:
    """Three files."""
    paths = [tmp_path / name for name in ("one.wav", "two.mp3", "three.ogg")]
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """A WAV file of 0.3 s."""
    return silence(tmp_path / "speech.wav", 0.3)
