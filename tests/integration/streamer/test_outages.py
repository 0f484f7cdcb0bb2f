"""Outages of NATS, isolation of tenants, and a streamer as a process."""

import asyncio
from pathlib import Path

from tests.integration.streamer.audio import tone
from tests.integration.streamer.conftest import (
    Request,
    connected,
    environment_for,
    error_of,
    pieces,
    read_all,
    reason_of,
    running_streamer,
    settings_for,
)
from tests.support.nats import NatsServer, running_nats
from tests.support.processes import running_async
from tests.support.scripted_worker import ScriptedWorker, running_worker
from tiro_core.messaging import subjects
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.topology import ensure_streams
from tiro_core.server.auth.keys import ApiKeys
from tiro_core.settings import CoreSettings
from tiro_streamer.app import open_streamer

RATE = 16_000
FRAME_BYTES = 3200


async def test_no_sample_is_lost_when_nats_restarts(tmp_path: Path, engine: str) -> None:
    """NATS is stopped in mid-stream and started again: every sample arrives once and in order."""
    samples = tone(6.0, RATE).tobytes()
    frames = pieces(samples, FRAME_BYTES)
    with running_nats(tmp_path) as nats:
        settings = CoreSettings.model_validate({"nats_url": nats.url, "nats_monitor_url": nats.monitor_url})
        async with open_bus(settings, "test") as bus:
            await ensure_streams(bus, replicas=1)
            async with running_worker(bus, engine) as worker, running_streamer(settings_for(nats), engine) as client:
                call = await client.start()
                reading = asyncio.create_task(read_all(call))
                for frame in frames[:20]:
                    await call.write(frame)
                await asyncio.to_thread(nats.stop)
                for frame in frames[20:40]:
                    await call.write(frame)
                await asyncio.to_thread(nats.start)
                for frame in frames[40:]:
                    await call.write(frame)
                await call.done_writing()
                conversation = await reading
                session = await worker.only_session()
    session.check_contiguous()
    assert session.pcm16 == samples
    assert conversation.last.session_ended.audio_duration.ToTimedelta().total_seconds() == 6.0


async def test_tenants_are_isolated(nats_server: NatsServer, bus: Bus, worker: ScriptedWorker, engine: str) -> None:
    """Each tenant's session has subjects of its own. A missing or wrong key is refused."""
    keys = ApiKeys(bus)
    one, _ = await keys.create("tenant-one", "a test")
    two, _ = await keys.create("tenant-two", "a test")
    async with open_streamer(settings_for(nats_server, auth="api-key"), asyncio.Event()) as address:
        for tenant, key in (("tenant-one", one), ("tenant-two", two)):
            async with connected(address, engine, ("authorization", f"Bearer {key}")) as client:
                conversation = await client.converse(client.config(), Request(audio=tenant.encode() * 2))
                session_id = conversation.responses[0].session_started.session_id
                assert worker.received[session_id].record.tenant == tenant
                assert worker.received[session_id].pcm16 == tenant.encode() * 2
                assert subjects.live_audio(tenant, session_id).split(".")[2] == tenant
        async with connected(address, engine) as client:
            assert reason_of(await error_of(client.open())) == "API_KEY_MISSING"
        async with connected(address, engine, ("authorization", "Bearer tiro_wrong")) as client:
            assert reason_of(await error_of(client.open())) == "API_KEY_INVALID"


async def test_a_real_process_serves_and_stops(nats_server: NatsServer, worker: ScriptedWorker, engine: str) -> None:
    """A streamer process serves a session; at SIGTERM a running one is ended after the grace, and it exits with 0."""
    async with running_async("tiro_streamer", environment_for(nats_server), ready="listening") as process:
        async with connected(process.wait_for("listening")["address"], engine) as client:
            conversation = await client.converse(client.config(), *pieces(tone(0.5, RATE).tobytes(), FRAME_BYTES))
            assert conversation.last.session_ended.final_count == 1
            call = await client.start()
            status = await asyncio.to_thread(process.stop)
            assert reason_of(await error_of(call)) == "SHUTTING_DOWN"
        assert status == 0
        owned = [line for line in process.log if line["event"] == "session_owned"]
        assert owned
        assert all(line["tenant"] == "default" and line["session"] for line in owned)


async def test_a_process_waits_for_nats(tmp_path: Path, engine: str) -> None:
    """Without NATS a streamer logs that it waits, and can be stopped. With NATS it becomes ready."""
    with running_nats(tmp_path) as nats:
        environment = environment_for(nats)
        nats.stop()
        async with running_async("tiro_streamer", environment, ready="nats_disconnected") as process:
            assert await asyncio.to_thread(process.stop) == 0
            process.start()
            await asyncio.to_thread(process.wait_for, "nats_disconnected")
            await asyncio.to_thread(nats.start)
            await asyncio.to_thread(process.wait_for, "listening")
