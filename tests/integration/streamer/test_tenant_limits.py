"""Shares of a tenant at a streamer: other tenants are served beyond them."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import grpc
import pytest

from tests.integration.streamer.audio_log import BUFFER_BYTES
from tests.integration.streamer.conftest import Client, connected, read_all, reason_of, settings_for
from tests.integration.streamer.resuming import window
from tests.integration.streamer.watching import begin, watch, watched
from tests.support.nats import NatsServer
from tests.support.scripted_worker import ScriptedWorker
from tiro.events.v1.live_pb2 import SessionRecord
from tiro_core.errors import TiroError, reason_name
from tiro_core.ids import new_id
from tiro_core.messaging.connection import Bus
from tiro_core.server.auth.keys import ApiKeys
from tiro_streamer.app import open_streamer
from tiro_streamer.audio_log.writer import AudioLogWriter
from tiro_streamer.context.detached import open_detached_sessions


@pytest.fixture
async def tenants(
    nats_server: NatsServer, bus: Bus, worker: ScriptedWorker, engine: str
) -> AsyncIterator[tuple[Client, Client]]:
    """Clients of two tenants, at a streamer that serves two watchers."""
    settings = settings_for(nats_server, auth="api-key", watchers_max=2, tenant_share=0.5)
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(open_streamer(settings, asyncio.Event()))
        clients = []
        for tenant in ("greedy", "other"):
            key, _ = await ApiKeys(bus).create(f"{tenant}-{secrets.token_hex(4)}", "a test")
            client = connected(address, engine, ("authorization", f"Bearer {key}"))
            clients.append(await stack.enter_async_context(client))
        yield clients[0], clients[1]


async def test_a_tenant_has_a_share_of_the_watchers(tenants: tuple[Client, Client]) -> None:
    """A second watcher of the first tenant is refused, one of the other tenant is served."""
    calls, watching = [], []
    for client in tenants:
        call, session = await begin(client)
        calls.append(call)
        responses = aiter(watch(client, session))
        await anext(responses)
        watching.append(responses)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await watched(watch(client, session))
        assert reason_of(caught.value) in {"TENANT_LIMIT_REACHED", "TOO_MANY_WATCHERS"}
        if client is tenants[0]:
            assert reason_of(caught.value) == "TENANT_LIMIT_REACHED"
    for call, responses in zip(calls, watching, strict=True):
        await call.done_writing()
        await read_all(call)
        assert [response.event.WhichOneof("response") async for response in responses] == ["session_ended"]


def session_of(bus: Bus, tenant: str) -> tuple[SessionRecord, AudioLogWriter]:
    """A session that can be resumed."""
    record = SessionRecord(tenant=tenant, session_id=new_id(), sample_rate_hertz=16_000, resume_window=window())
    return record, AudioLogWriter(bus, record, buffer_bytes_max=BUFFER_BYTES, lead_seconds_max=60)


async def test_a_tenant_has_a_share_of_the_detached_sessions(bus: Bus) -> None:
    """A session beyond its tenant's share is not detached, and ends with that reason. Another tenant's is detached."""
    async with open_detached_sessions(sessions_max=2, share=0.5) as detached:
        detached.keep(*session_of(bus, "greedy"))
        with pytest.raises(TiroError) as caught:
            detached.keep(*session_of(bus, "greedy"))
        assert reason_name(caught.value.reason) == "TENANT_LIMIT_REACHED"
        detached.keep(*session_of(bus, "other"))
        with pytest.raises(TiroError) as caught:
            detached.keep(*session_of(bus, "another"))
        assert reason_name(caught.value.reason) == "NO_CAPACITY"
