"""The state of NATS nodes by their monitoring ports: whether they flush, free space, streams they cannot write."""

import asyncio
import shutil
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from tiro_core.messaging.monitoring.answers import Health, Routes, Server, ask

FRESH_SECONDS = 5.0
"""How long one state of the nodes is reused."""
STALE_SECONDS = 15.0
"""How long it is reused while the next requests are under way: a silent node delays them."""
NODES_MAX = 16
"""The most nodes that are asked."""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_WRITE_ERROR = "write error"
"""The error that nats-server reports on `/healthz`, until a restart, when it could not write a stream's file."""


@dataclass(frozen=True, slots=True)
class NodeState:
    """The state of one node."""

    name: str
    server_id: str
    flushes_always: bool
    """`sync_interval: always`: a message is on disk before it is acknowledged."""
    free_bytes: int
    """The free space of its store."""
    cluster_size: int
    """The number of nodes with JetStream in its cluster, those that are down included. 1 without a cluster."""
    unwritable: frozenset[str]
    """Streams of which a write failed: this node writes no more of them until it is restarted."""
    peers: frozenset[str]
    """Addresses of the other nodes' hosts."""


@dataclass(frozen=True, slots=True)
class ServerState:
    """The state of every node that answers."""

    nodes: tuple[NodeState, ...]
    silent: tuple[str, ...]
    """Monitoring addresses of the settings from which no answer came."""

    @property
    def free_bytes(self) -> int:
        """The free space of the fullest node: any of them may hold a stream."""
        return min(node.free_bytes for node in self.nodes)

    @property
    def cluster_size(self) -> int:
        """The number of nodes in the cluster, whether or not they answer."""
        return max(len(self.nodes), *(node.cluster_size for node in self.nodes))

    @property
    def unflushed(self) -> list[str]:
        """Names of nodes that acknowledge before they flush."""
        return [node.name for node in self.nodes if not node.flushes_always]

    def unwritable(self) -> dict[str, list[str]]:
        """Streams that some nodes cannot write, with the names of these nodes."""
        streams = sorted({stream for node in self.nodes for stream in node.unwritable})
        return {stream: [node.name for node in self.nodes if stream in node.unwritable] for stream in streams}


class ServerMonitor:
    """Asks the monitoring port of every node.

    Args:
        urls: Monitoring addresses, separated by commas. Further nodes that these report are asked on the same port.
    """

    def __init__(self, urls: str) -> None:
        self._urls = [url.strip().rstrip("/") for url in urls.split(",") if url.strip()]
        self._found: set[str] = set()
        self._state: ServerState | None = None
        self._seen_at = 0.0
        self._looking = asyncio.Lock()

    async def state(self) -> ServerState:
        """The state of the nodes, at most `FRESH_SECONDS` old, or `STALE_SECONDS` while the next requests are pending.

        Raises:
            OSError: None of them answers.
        """
        if self._looking.locked() and self._state is not None and self._age() < STALE_SECONDS:
            return self._state
        async with self._looking:
            if self._state is None or self._age() > FRESH_SECONDS:
                self._state = await self._ask_all()
                self._seen_at = time.monotonic()
            return self._state

    def _age(self) -> float:
        return time.monotonic() - self._seen_at

    async def _ask_all(self) -> ServerState:
        nodes, faults = await self._ask([*self._urls, *self._found])
        if nodes and len(nodes) < max(node.cluster_size for node in nodes.values()):
            self._found |= _neighbours(nodes.values(), [url for url in self._urls if url not in faults])
            more, _ = await self._ask(self._found)
            nodes |= more
        if not nodes:
            raise OSError(next(iter(faults.values()), "there is no address"))
        return ServerState(tuple(nodes.values()), tuple(url for url in self._urls if url in faults))

    async def _ask(self, urls: Iterable[str]) -> tuple[dict[str, NodeState], dict[str, str]]:
        """Ask these addresses. Returns the nodes that answer, by their id, and the faults of the others, by address."""
        asked = list(urls)[:NODES_MAX]
        answers = await asyncio.gather(*(asyncio.to_thread(_fetch, url) for url in asked))
        nodes = {answer.server_id: answer for answer in answers if isinstance(answer, NodeState)}
        faults = {url: answer for url, answer in zip(asked, answers, strict=True) if isinstance(answer, str)}
        return nodes, faults


def _neighbours(nodes: Iterable[NodeState], answering: Sequence[str]) -> set[str]:
    """The monitoring addresses of further nodes that these report, if all have the port of the first that answers."""
    if not answering:
        return set()
    first = urlsplit(answering[0])
    hosts = {host for node in nodes for host in node.peers} - {urlsplit(url).hostname for url in answering}
    return {f"{first.scheme}://{f'[{host}]' if ':' in host else host}:{first.port}" for host in hosts}


def _fetch(url: str) -> NodeState | str:
    """The state of one node, or why it is not known."""
    try:
        server = ask(url, "/varz", Server)
        routes = ask(url, "/routez", Routes).routes or []
        health = ask(url, "/healthz?details=true", Health)
    except OSError as error:
        return f"{url}: {error}"
    jetstream = server.jetstream
    return NodeState(
        name=server.server_name,
        server_id=server.server_id,
        flushes_always=jetstream.config.sync_always,
        free_bytes=_free_bytes(url, server),
        cluster_size=jetstream.meta.cluster_size,
        unwritable=frozenset(
            fault.stream for fault in health.errors or [] if fault.stream and _WRITE_ERROR in fault.error
        ),
        peers=frozenset(route.ip for route in routes if route.ip),
    )


def _free_bytes(url: str, server: Server) -> int:
    config = server.jetstream.config
    free = config.max_storage - server.jetstream.stats.storage
    if urlsplit(url).hostname in _LOOPBACK and config.store_dir:
        with suppress(OSError):  # it is not on this machine after all, or not for this user to see
            free = min(free, shutil.disk_usage(config.store_dir).free)
    return free
