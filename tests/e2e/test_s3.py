"""Tiro with its recordings and transcripts in an S3-compatible store: real processes, a real server."""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.ports import free_port
from tests.e2e.conftest import environment
from tests.e2e.speech import wav
from tests.support.nats import NatsServer
from tests.support.processes import ServiceProcess, running
from tests.support.s3 import BUCKET, SECRET_KEY, S3Server
from tests.support.stack import Stack, running_stack
from tiro_client import AsyncClient
from tiro_core.blobs.interface import PART_BYTES
from tiro_core.blobs.keys import STORE_ID_KEY
from tiro_core.blobs.s3_client import make_client
from tiro_core.messaging import topology
from tiro_core.messaging.connection import open_bus
from tiro_core.settings import CoreSettings
from tiro_core.startup import EXIT_SETTINGS
from tiro_engines.fake.markers import encode


@pytest.fixture
def prefix() -> str:
    """A prefix that no other test has: tests share a bucket, not data."""
    return f"e2e-{secrets.token_hex(6)}"


@pytest.fixture
def s3_stack(tmp_path: Path, s3_server: S3Server, prefix: str) -> Iterator[Stack]:
    """Tiro with the fake engine and a bucket."""
    settings = {"TIRO_ENGINE": "fake", "TIRO_DEFAULT_ENGINE": "fake", "TIRO_S3_PREFIX": prefix, **s3_server.environment}
    with running_stack(tmp_path, settings) as running:
        yield running


async def _keys(server: S3Server, prefix: str) -> list[str]:
    settings = CoreSettings.model_validate({"s3_endpoint": server.url})
    listed = await make_client(settings, BUCKET).list(prefix).collect_async()
    identity = f"{prefix}/{STORE_ID_KEY.replace('.', '/')}/0"  # says which deployment the bucket belongs to
    return sorted(item["path"] for item in listed if item["path"] != identity)


async def test_data_of_a_job_is_in_the_bucket(s3_stack: Stack, s3_server: S3Server, prefix: str) -> None:
    """Recording and transcript of a job are in the bucket, below the tenant, and not in JetStream."""
    words = range(1, 200)
    audio = wav(encode(words))
    assert len(audio) > 2 * PART_BYTES
    async with AsyncClient(s3_stack.address) as client:
        transcript = await client.transcribe(audio)
    assert transcript.text.split() == [f"w{word}" for word in words]
    keys = await _keys(s3_server, prefix)
    recording = [key for key in keys if "/audio/" in key]
    pages = [key for key in keys if "/transcript/1/" in key]
    assert len(recording) == -(-len(audio) // PART_BYTES)
    assert pages
    assert all(key.startswith(f"{prefix}/default/") for key in keys)
    assert sorted(recording + pages) == keys
    async with open_bus(CoreSettings.model_validate({"nats_url": s3_stack.nats.url}), "test") as bus:
        assert (await bus.jetstream.stream_info(topology.BLOBS)).state.messages == 0


async def test_services_stop_on_sigterm(s3_stack: Stack) -> None:
    """An S3 client that was used does not keep a process from stopping with status 0."""
    async with AsyncClient(s3_stack.address) as client:
        await client.transcribe(wav(encode(range(1, 10))))
    for service in (s3_stack.ingest, s3_stack.transcriber):
        assert await asyncio.to_thread(service.stop) == 0


@pytest.mark.parametrize("name", ["ingest", "transcriber"])
def test_a_missing_bucket_is_a_wrong_setting(name: str, nats_server: NatsServer, s3_server: S3Server) -> None:
    """A service without its bucket exits with EXIT_SETTINGS and logs the reason, without the secret."""
    settings = {**s3_server.environment, "TIRO_S3_BUCKET": "no-such-bucket"}
    service = ServiceProcess(f"tiro_{name}", environment(nats_server, **settings))
    try:
        service.start()
        assert "NoSuchBucket" in service.wait_for("refused_to_start")["reason"]
        assert service.wait() == EXIT_SETTINGS
        assert SECRET_KEY not in str(service.log)
    finally:
        service.close()


def test_a_service_waits_for_an_s3_server_that_does_not_answer(nats_server: NatsServer, s3_server: S3Server) -> None:
    """The service logs that it waits, and can be stopped meanwhile."""
    settings = {**s3_server.environment, "TIRO_S3_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    with running("tiro_ingest", environment(nats_server, **settings), ready="blobs_unavailable") as service:
        assert service.stop() == 0
