"""The connection to NATS: opened once, restored after each loss, and its state logged."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext

from tiro_core.logs.logger import get_logger
from tiro_core.messaging.client import REQUEST_TIMEOUT_SECONDS, NatsClient
from tiro_core.settings import CoreSettings

RECONNECT_WAIT_SECONDS = 0.5
CONNECT_TIMEOUT_SECONDS = 2
"""How long one try to connect to one server may take."""
PING_SECONDS = 3
"""How often the server is pinged."""
PINGS_OUTSTANDING_MAX = 2
"""Pings that may be unanswered when the next one is due; then the connection is given up: after 6 to 9 s of silence."""
CLOSE_TIMEOUT_SECONDS = 5.0
FLUSH_TIMEOUT_SECONDS = 5
"""How long a publish waits for room in a full buffer before it waits for its answer."""
PENDING_BYTES_MAX = 2 * 1024 * 1024
"""Bytes that may wait to be sent while the connection is down; a further publish raises at once."""

log = get_logger()


class Bus:
    """A connection to NATS with JetStream."""

    def __init__(self, client: Client, *, read_patience_seconds: float = 0.0) -> None:
        self.client = client
        self.read_patience_seconds = read_patience_seconds
        """How long a read is tried again while NATS does not answer. 0: its callers get an error at once."""
        self._back_at: float | None = None
        self.jetstream: JetStreamContext = client.jetstream(timeout=REQUEST_TIMEOUT_SECONDS)

    @property
    def seconds_since_outage(self) -> float:
        """The time since the connection was restored. Infinite when it was never lost."""
        return inf if self._back_at is None else time.monotonic() - self._back_at

    def note_reconnected(self) -> None:
        """Note that a lost connection was restored just now."""
        self._back_at = time.monotonic()

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection to a server."""
        return self.client.is_connected

    async def change_server(self) -> bool:
        """Connect to the next server of the list. Returns False, and does nothing, where there is no other one."""
        if len(self.client.server_pool) == 1 or not self.client.is_connected:
            return False
        await self.client.force_reconnect()
        return True


@asynccontextmanager
async def open_bus(settings: CoreSettings, service: str, *, read_patience_seconds: float = 0.0) -> AsyncIterator[Bus]:
    """A connection while the context lasts. Waits without a limit for a server to connect to."""
    client = NatsClient()
    servers = [server.strip() for server in settings.nats_url.split(",")]
    bus = Bus(client, read_patience_seconds=read_patience_seconds)
    reporter = _Reporter(settings.nats_url)

    async def note_reconnected() -> None:
        bus.note_reconnected()
        await reporter.connected()

    try:
        await client.connect(
            servers=random.sample(servers, len(servers)),
            # The servers are tried in turn: the one that the connection is lost to, or leaves, is the last one.
            dont_randomize=True,
            name=service,
            user_credentials=str(settings.nats_credentials) if settings.nats_credentials else None,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_WAIT_SECONDS,  # type: ignore[arg-type] # it takes fractions as well
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            ping_interval=PING_SECONDS,
            max_outstanding_pings=PINGS_OUTSTANDING_MAX,
            flush_timeout=FLUSH_TIMEOUT_SECONDS,
            pending_size=PENDING_BYTES_MAX,
            error_cb=reporter.error,
            disconnected_cb=reporter.disconnected,
            reconnected_cb=note_reconnected,
        )
        await reporter.connected()
        yield bus
    finally:
        reporter.closing = True
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                await client.close()
        except TimeoutError:
            log.warning("nats_close_timeout", timeout_seconds=CLOSE_TIMEOUT_SECONDS)
        except ConnectionError:  # the connection was lost with messages unsent, whose senders get an error
            log.debug("nats_closed_while_away")


class _Reporter:
    """Logs each loss and each restoration of the connection once, not each try in between.

    Args:
        url: The servers. Their credentials are not logged.
    """

    def __init__(self, url: str) -> None:
        self._servers = [part.rpartition("@")[2].rpartition("//")[2] for part in url.split(",")]
        self._reported_down = False
        self._refusal = ""
        self.closing = False
        """Whether the service is closing the connection itself, which is not logged."""

    async def connected(self) -> None:
        log.info("nats_connected", servers=self._servers)
        self._reported_down = False
        self._refusal = ""

    async def disconnected(self) -> None:
        self._down("connection lost")

    async def error(self, error: Exception) -> None:
        if isinstance(error, OSError | nats.errors.StaleConnectionError | nats.errors.UnexpectedEOF):
            self._down(str(error) or type(error).__name__)
        elif repr(error) != self._refusal:  # a server that refuses this client does so at each try
            self._refusal = repr(error)
            log.warning("nats_error", error=repr(error))

    def _down(self, reason: str) -> None:
        if not self._reported_down and not self.closing:
            self._reported_down = True
            log.warning(
                "nats_disconnected", servers=self._servers, reason=reason, note="trying again for as long as it takes"
            )
