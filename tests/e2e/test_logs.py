"""Logs of a deployment with many faults: no word of a recording, no caller's data and no secret is in them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.conftest import environment
from tests.e2e.live_audio import at_once
from tests.e2e.speech import wav
from tests.support.faulty_service import MARK, MARKED_WORD
from tests.support.nats import NatsServer, running_nats
from tests.support.processes import ServiceProcess, running
from tests.support.s3 import SECRET_KEY, S3Server
from tests.support.stack import READY
from tiro_client import AsyncClient, JobOptions, TiroError
from tiro_core.messaging.connection import open_bus
from tiro_core.server.auth.keys import ApiKeys
from tiro_core.settings import CoreSettings
from tiro_engines.fake.markers import encode

ROOT = Path(__file__).parents[2]
PASSWORD = "password-of-NATS"  # noqa: S105 - the server is ours
NAME = "Patient Smith"
HOTWORD = "Diabetes"
CALLBACK = "https://user-of-callback:secret-of-callback@127.0.0.1/path-of-callback?key=key-of-callback"
CALLBACK_SECRET = "secret-that-signs-callbacks"  # noqa: S105 - the deployment is ours
OTHER_WORKER = "other transcriber"
ROUTING = """
[[policies]]
name = "two-models"
routes = [{ engine = "fake", model = "markers" }, { engine = "fake", model = "markers-30x" }]
"""
WORDS = range(MARKED_WORD - 2, MARKED_WORD + 1)
CANARIES = [
    PASSWORD,
    SECRET_KEY,
    NAME,
    HOTWORD,
    MARK,
    CALLBACK_SECRET,
    "user-of-callback",
    "secret-of-callback",
    "path-of-callback",
    "key-of-callback",
    *(f"w{word}" for word in WORDS),
]


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    """A server with a password. The test may stop it."""
    with running_nats(tmp_path, password=PASSWORD) as server:
        yield server


def _url(nats: NatsServer, password: str = PASSWORD) -> str:
    return nats.url.replace("nats://", f"nats://tiro:{password}@")


@pytest.fixture
def services(nats: NatsServer, s3_server: S3Server, tmp_path: Path) -> Iterator[dict[str, ServiceProcess]]:
    """All services, with API keys, recordings in S3, faults for marked input, and debug logs."""
    rules = tmp_path / "routing.toml"
    rules.write_text(ROUTING, encoding="utf-8")
    settings = environment(
        nats,
        TIRO_NATS_URL=_url(nats),
        TIRO_AUTH="api-key",
        TIRO_DEFAULT_ENGINE="fake",
        TIRO_CALLBACK_SECRETS=CALLBACK_SECRET,
        TIRO_LOG_LEVEL="debug",
        TIRO_S3_PREFIX="logs",
        TIRO_ROUTING=str(rules),
        PYTHONPATH=str(ROOT),
        **s3_server.environment,
    )
    with ExitStack() as stack:

        def start(name: str, **more: str) -> ServiceProcess:
            module = f"tests.support.faulty_service tiro_{name}"
            return stack.enter_context(running(module, {**settings, **more}, ready=READY[name]))

        yield {**{name: start(name) for name in READY}, OTHER_WORKER: start("transcriber", TIRO_MODEL="markers-30x")}


async def _key(nats: NatsServer) -> str:
    settings = CoreSettings.model_validate({"nats_url": _url(nats), "nats_monitor_url": nats.monitor_url})
    async with open_bus(settings, "test") as bus:
        key, _ = await ApiKeys(bus).create("acme", NAME)
    return key


async def _fails_live(client: AsyncClient, pcm: bytes) -> None:
    """Send audio, then nothing until the session has failed on a partial."""

    async def speech() -> AsyncIterator[bytes]:
        yield pcm
        await asyncio.Event().wait()

    with pytest.raises(TiroError):
        async for _ in client.stream(speech(), sample_rate=16_000, engine="two-models"):
            pass


async def test_logs_have_no_data_of_callers_and_no_secret(
    nats: NatsServer, services: dict[str, ServiceProcess]
) -> None:
    """Faults in a call, a job, a session and a callback, wrong keys, and an outage of NATS leak nothing to logs."""
    key = await _key(nats)
    address = str(services["ingest"].wait_for("listening")["address"])
    streaming = str(services["streamer"].wait_for("listening")["address"])
    audio, pcm = wav(encode(WORDS)), encode(WORDS).tobytes()
    async with AsyncClient(address, streaming_address=streaming, api_key=key) as client:
        with pytest.raises(TiroError, match="internal error"):
            await client.submit(audio, display_name=f"{NAME} {MARK}")
        options = JobOptions(callback=CALLBACK)
        job = await client.submit(audio, display_name=NAME, options=options)
        await _wait_for(services["transcriber"], "attempt_failed")
        await client.cancel(job.name)
        with pytest.raises(TiroError, match="internal error"):
            async for _ in client.stream(at_once(pcm), sample_rate=16_000, hotwords=[MARK, HOTWORD]):
                pass
        with pytest.raises(TiroError):
            async for _ in client.stream(at_once(pcm), sample_rate=16_000):
                pass
        await asyncio.gather(*(_fails_live(client, pcm) for _ in range(2)))
        await _wait_for(services["ingest"], "callback_tried")
    async with AsyncClient(address, api_key="tiro_" + "wrong" * 8) as client:
        with pytest.raises(TiroError):
            await client.get(job.name)
    await asyncio.to_thread(nats.kill)
    for service in services.values():
        await _wait_for(service, "nats_disconnected")
    await asyncio.to_thread(nats.start)
    for service in services.values():
        assert await asyncio.to_thread(service.stop) == 0
    logs = {name: str(service.log) for name, service in services.items()}
    assert "internal_error" in logs["ingest"]
    assert "internal_error" in logs["streamer"]
    for event in ("session_broken", "partials_decoded_one_by_one", "session_moved"):
        assert event in logs["transcriber"]
    found = [(name, canary) for name, log in logs.items() for canary in [*CANARIES, key, "wrongwrong"] if canary in log]
    assert not found
    assert not [line for service in services.values() for line in service.log if not line["event"]]


def test_a_wrong_nats_password_is_not_logged(nats: NatsServer) -> None:
    """The refusal of the server is logged, the password is not."""
    wrong = "another-password-of-NATS"
    settings = {**environment(nats, TIRO_NATS_URL=_url(nats, wrong)), "PYTHONPATH": str(ROOT)}
    with running("tiro_ingest", settings, ready="nats_error") as service:
        assert "Authorization Violation" in service.wait_for("nats_error")["error"]
        assert service.stop() == 0
        assert wrong not in str(service.log)


async def _wait_for(service: ServiceProcess, event: str) -> None:
    await asyncio.to_thread(service.wait_for, event)
