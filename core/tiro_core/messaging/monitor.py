"""What only the NATS server's monitoring port tells: whether it flushes what it acknowledges, and how full it is."""

import asyncio
import json
import shutil
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tiro_core.logs import get_logger
from tiro_core.settings import CoreSettings
from tiro_core.startup import EXIT_UNSAFE, CannotStart

TIMEOUT_SECONDS = 2.0
FRESH_SECONDS = 5.0
"""How long one look at the store is good for."""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

log = get_logger()


class UnsafeServer(CannotStart):
    """The NATS server may lose acknowledged jobs, or nobody can tell."""

    exit_status = EXIT_UNSAFE


@dataclass(frozen=True, slots=True)
class ServerState:
    """A look at the NATS server."""

    flushes_always: bool
    """`sync_interval: always`: a message is on disk before it is acknowledged."""
    free_bytes: int
    """What its store still takes."""


class ServerMonitor:
    """Asks the NATS server's monitoring port."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._state: ServerState | None = None
        self._seen_at = 0.0

    async def look(self) -> ServerState:
        """The server's state, at most `FRESH_SECONDS` old.

        Raises:
            OSError: The monitoring port does not answer.
        """
        if self._state is None or time.monotonic() - self._seen_at > FRESH_SECONDS:
            self._state = await asyncio.to_thread(self._fetch)
            self._seen_at = time.monotonic()
        return self._state

    def _fetch(self) -> ServerState:
        url = f"{self._url}/varz"
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - the operator's own setting
            jetstream = json.load(answer).get("jetstream", {})
        config = jetstream.get("config", {})
        free = config.get("max_storage", 0) - jetstream.get("stats", {}).get("storage", 0)
        store = Path(config.get("store_dir", ""))
        if urlsplit(self._url).hostname in _LOOPBACK and store.is_dir():
            free = min(free, shutil.disk_usage(store).free)
        return ServerState(flushes_always=bool(config.get("sync_always")), free_bytes=free)


async def require_safe_server(settings: CoreSettings) -> None:
    """Refuse a server that would lose acknowledged jobs, unless the deployment wants that.

    With replicas a message is acknowledged when a majority of servers has it, so one of them may lose power.

    Raises:
        UnsafeServer: It would, or its monitoring port does not answer.
    """
    if settings.allow_unsafe_nats or settings.nats_replicas > 1:
        return
    remedy = "set `sync_interval: always` in its JetStream configuration, or TIRO_ALLOW_UNSAFE_NATS=true to accept that"
    try:
        state = await ServerMonitor(settings.nats_monitor_url).look()
    except OSError as error:
        raise UnsafeServer(
            "cannot tell whether the NATS server keeps what it acknowledges: its monitoring port "
            f"{settings.nats_monitor_url} (TIRO_NATS_MONITOR_URL) does not answer: {error}; {remedy}"
        ) from error
    if not state.flushes_always:
        raise UnsafeServer(f"the NATS server may lose acknowledged jobs when the power fails: {remedy}")
