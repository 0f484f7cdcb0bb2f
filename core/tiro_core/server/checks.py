"""The readiness checks of every service: the leaders of its streams, a store that can be written, the bucket in S3."""

import time
from collections.abc import Iterable

from tiro_core.blobs.interface import BlobStore
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.monitoring.isolation import IsolationWatch
from tiro_core.messaging.monitoring.liveness import stream_faults
from tiro_core.messaging.monitoring.monitor import FRESH_SECONDS, ServerMonitor
from tiro_core.server.readiness import LIMIT_SECONDS, CheckFailed, Readiness
from tiro_core.settings import CoreSettings

STREAMS_INTERVAL_SECONDS = 2.0
"""How often the leaders of the streams are asked: one request for each stream, by every service."""
STORE_LIMIT_SECONDS = 10.0
"""How long all monitoring ports together may take to answer."""
BLOBS_INTERVAL_SECONDS = 10.0
"""How often S3 is asked: each request there costs money."""
BLOBS_LIMIT_SECONDS = 5.0
_BLOB_ASKED_FOR = "checks.readiness"

log = get_logger()


def add_streams_check(readiness: Readiness, bus: Bus, streams: Iterable[str]) -> None:
    """Have a service ready only while these streams can be used.

    The service connects to another server where they cannot be used through the present one.
    """
    names = tuple(streams)
    isolation = IsolationWatch(bus)

    async def check() -> None:
        if not bus.is_connected:
            raise CheckFailed("there is no connection to NATS")
        begun = time.monotonic()
        faults = await stream_faults(bus, names, LIMIT_SECONDS)
        await isolation.note(faults.values(), len(names), begun)
        if faults:
            raise CheckFailed("JetStream: " + "; ".join(f"{name}: {fault.reason}" for name, fault in faults.items()))

    # All streams together have `LIMIT_SECONDS`, so the check itself ends in time and names those that did not answer.
    readiness.add("nats", check, every_seconds=STREAMS_INTERVAL_SECONDS, limit_seconds=2 * LIMIT_SECONDS)


def add_store_check(readiness: Readiness, monitor: ServerMonitor, settings: CoreSettings) -> None:
    """Have a service ready only while the streams can be written on enough nodes of NATS."""
    check = _StoreCheck(monitor, settings)
    readiness.add("nats_store", check, every_seconds=FRESH_SECONDS, limit_seconds=STORE_LIMIT_SECONDS)


def add_blobs_check(readiness: Readiness, blobs: BlobStore) -> None:
    """Have a service ready only while its bucket answers. For S3 only: JetStream is checked by its streams."""

    async def check() -> None:
        await blobs.part_revision(_BLOB_ASKED_FOR, 0)

    readiness.add("blobs", check, every_seconds=BLOBS_INTERVAL_SECONDS, limit_seconds=BLOBS_LIMIT_SECONDS)


class _StoreCheck:
    """Fails when a stream cannot be written. A fault of a minority of the nodes is only logged, once."""

    def __init__(self, monitor: ServerMonitor, settings: CoreSettings) -> None:
        self._monitor = monitor
        self._failures_max = (settings.nats_replicas - 1) // 2
        self._allow_unsafe = settings.allow_unsafe_nats
        self._logged: set[str] = set()

    async def __call__(self) -> None:
        """Check the nodes.

        Raises:
            CheckFailed: A stream cannot be written.
        """
        try:
            state = await self._monitor.state()
        except OSError:
            return  # whether a service may run without the monitoring ports was decided when it started
        unwritable = state.unwritable()
        nodes = sorted({node for failed in unwritable.values() for node in failed})
        remedy = f"make room on the disk and restart nats-server ({', '.join(nodes)}), see docs/operations.md"
        broken = [stream for stream, failed in unwritable.items() if len(failed) > self._failures_max]
        if broken:
            raise CheckFailed(f"NATS cannot write {', '.join(broken)}: a disk has failed or was full; {remedy}")
        self._log_once("nats_write_error", "one copy of a stream is not written: " + remedy, nodes)
        if not self._allow_unsafe:
            self._log_once(
                "nats_unsafe", "nodes acknowledge before they flush: set `sync_interval: always`", state.unflushed
            )

    def _log_once(self, event: str, note: str, nodes: list[str]) -> None:
        if nodes and event not in self._logged:
            log.error(event, nodes=nodes, note=note)
        (self._logged.add if nodes else self._logged.discard)(event)
