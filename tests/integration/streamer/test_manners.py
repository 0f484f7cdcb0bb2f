"""Health, reflection and metrics of a streamer."""

import asyncio
import urllib.request
from contextlib import AsyncExitStack
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.integration.streamer.conftest import Request, connected, environment_for, settings_for
from tests.support.nats import NatsServer
from tests.support.processes import running_async
from tests.support.scripted_worker import ScriptedWorker
from tiro_streamer.app import SERVICE_NAME, open_streamer


async def test_health_is_watched_until_the_end(nats_server: NatsServer) -> None:
    """A watcher gets SERVING, and NOT_SERVING as soon as the streamer stops."""
    async with AsyncExitStack() as after:
        async with open_streamer(settings_for(nats_server), asyncio.Event()) as address:
            channel = await after.enter_async_context(grpc.aio.insecure_channel(address))
            stub: Any = health_pb2_grpc.HealthStub(channel)  # its types know of unary methods only
            watching = stub.Watch(health_pb2.HealthCheckRequest(service=SERVICE_NAME))
            states = aiter(watching)
            assert (await anext(states)).status == health_pb2.HealthCheckResponse.SERVING
        assert (await anext(states)).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watching.cancel()


async def test_reflection_names_the_service(nats_server: NatsServer) -> None:
    """Reflection lists the streaming service."""
    async with (
        open_streamer(settings_for(nats_server), asyncio.Event()) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        make_stub: Any = reflection_pb2_grpc.ServerReflectionStub  # its types know of blocking channels only
        answers = make_stub(channel).ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        )
        answer = await anext(aiter(answers))
        assert SERVICE_NAME in [item.name for item in answer.list_services_response.service]
        answers.cancel()


async def test_metrics_count_sessions(nats_server: NatsServer, worker: ScriptedWorker, engine: str) -> None:
    """After a session `/metrics` has its audio and the time it took to be claimed, and none is active."""
    async with running_async("tiro_streamer", environment_for(nats_server), ready="listening") as process:
        async with connected(process.wait_for("listening")["address"], engine) as client:
            await client.converse(client.config(), Request(audio=bytes(32_000)))
        url = f"http://{process.wait_for('metrics_listening')['address']}/metrics"
        lines = (await asyncio.to_thread(_read, url)).splitlines()
    assert "tiro_streamer_audio_seconds_total 1.0" in lines
    assert "tiro_streamer_sessions_active 0.0" in lines
    assert "tiro_streamer_claim_seconds_count 1.0" in lines


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - it is ours
        return str(answer.read().decode())
