"""The streamer's object graph, and the order in which it starts and stops.

The streamer starts when NATS answers and keeps acknowledged messages. The order on SIGTERM: it is not ready; new calls
are refused with SHUTTING_DOWN; sessions that can be resumed, and watchers, end with the same reason at once, and their
clients move to another streamer; the other sessions have `grace_seconds` to end, and then end with that reason as well;
last, the port, the decoding processes and the connection to NATS are closed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tiro.streaming.v1 import streaming_pb2
from tiro.streaming.v1.streaming_pb2_grpc import add_StreamingServiceServicer_to_server
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.messaging import topology
from tiro_core.messaging.connection import open_bus
from tiro_core.messaging.monitoring.monitor import ServerMonitor
from tiro_core.messaging.monitoring.safety import require_safe_server
from tiro_core.messaging.topology import ensure_streams
from tiro_core.routing.resolver import RecognitionResolver
from tiro_core.routing.router import Router
from tiro_core.routing.rules import load_routing
from tiro_core.routing.usage import open_usage_mirror
from tiro_core.routing.workers import open_worker_directory
from tiro_core.server.auth.factory import open_authenticator
from tiro_core.server.background import keep_running
from tiro_core.server.checks import add_store_check, add_streams_check
from tiro_core.server.grpc_server import create_server, serving
from tiro_core.server.lifecycle import unless_stopping
from tiro_core.server.metrics import serve_metrics, split_address
from tiro_core.server.preflight import check_core, check_server
from tiro_core.server.readiness import Readiness
from tiro_engines.catalogue import load_catalogue
from tiro_streamer.context.detached import open_detached_sessions
from tiro_streamer.context.drain import Drain
from tiro_streamer.context.store_watch import open_store_watch
from tiro_streamer.context.streamer import StreamerContext
from tiro_streamer.gc_tuning import tune_garbage_collector
from tiro_streamer.service import StreamingService
from tiro_streamer.settings import StreamerSettings

SERVICE_NAME = streaming_pb2.DESCRIPTOR.services_by_name["StreamingService"].full_name
STREAMS = (
    topology.SESSIONS,
    topology.LIVE_AUDIO,
    topology.LIVE_EVENTS,
    *map(
        topology.bucket_stream,
        (topology.LIVE_SESSIONS_BUCKET, topology.WORKERS_BUCKET, topology.API_KEYS_BUCKET, topology.USAGE_BUCKET),
    ),
)
"""The streams that the streamer needs."""
STOP_SECONDS = 1.0
"""How long gRPC gets for calls whose sessions are over, after the grace of all sessions."""


def check(settings: StreamerSettings) -> None:
    """Check what the streamer can check before it asks NATS.

    Raises:
        CannotStart: A setting, or a file that one names, cannot be used.
    """
    check_core(settings, metrics_address=settings.streamer_metrics_address)
    check_server(settings, settings.streamer_address)


async def serve(settings: StreamerSettings, stopping: asyncio.Event) -> None:
    """Run the streamer, as the main program of the process, until `stopping` is set."""
    tune_garbage_collector()
    async with open_streamer(settings, stopping):
        await stopping.wait()


@asynccontextmanager
async def open_streamer(settings: StreamerSettings, stopping: asyncio.Event) -> AsyncIterator[str]:
    """A streamer that serves while the context lasts. Yields the address on which it listens.

    Raises:
        StoppedEarly: `stopping` was set before NATS answered.
        UnsafeServer: The NATS server would lose acknowledged jobs.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(serve_metrics(settings.streamer_metrics_address))
        readiness = Readiness()
        bus = await unless_stopping(stack.enter_async_context(open_bus(settings, "streamer")), stopping)
        monitor = ServerMonitor(settings.nats_monitor_url)
        await require_safe_server(settings, monitor)
        add_store_check(readiness, monitor, settings)
        await unless_stopping(ensure_streams(bus, settings.nats_replicas), stopping)
        add_streams_check(readiness, bus, STREAMS)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        replicating = keep_running("audio-stream", lambda: topology.replicate_audio_stream(bus, settings.nats_replicas))
        stack.callback(tasks.create_task(replicating, name="audio-stream").cancel)
        workers = await stack.enter_async_context(open_worker_directory(bus))
        usage = await stack.enter_async_context(open_usage_mirror(bus))
        authenticator = await stack.enter_async_context(open_authenticator(settings, bus))
        launcher = await stack.enter_async_context(MediaLauncher(processes_max=settings.decoders_max))
        detached = await stack.enter_async_context(
            open_detached_sessions(sessions_max=settings.detached_max, share=settings.share_of_tenant)
        )
        catalogue = load_catalogue(settings.catalogue)
        resolver = RecognitionResolver(
            catalogue, workers, default_engine=settings.default_engine, default_model=settings.default_model
        )
        router = Router(resolver, catalogue, load_routing(settings.routing, catalogue), workers, usage)
        store = await stack.enter_async_context(open_store_watch(monitor, replicas=settings.nats_replicas))
        drain = Drain()
        streamer = StreamerContext(settings, bus, workers, resolver, launcher, drain, detached, store)
        service = StreamingService(streamer, router)
        server, health, port = create_server(settings, settings.streamer_address, authenticator, [SERVICE_NAME])
        add_StreamingServiceServicer_to_server(service, server)
        async with serving(
            server, health, readiness, address=settings.streamer_address, port=port, grace_seconds=STOP_SECONDS
        ):
            try:
                yield f"{split_address(settings.streamer_address)[0]}:{port}"
            finally:
                await health.servicer.enter_graceful_shutdown()
                await drain.drain(settings.grace_seconds)
