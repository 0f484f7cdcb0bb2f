"""NATS nodes that form a cluster. All their connections, from peers and from clients, go through links."""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.cluster import monitoring
from tests.support.cluster.disk import Disk, small_disk
from tests.support.cluster.link import Mode
from tests.support.cluster.node import Node, NodeConfig
from tests.support.cluster.proxy import Proxy, running_proxy

NODES = 3
HEALTHY_SECONDS_MAX = 60.0
"""Limit of the wait until all running nodes report that they are healthy. Elections take 4 to 9 s."""
LEADER_SECONDS_MAX = 30.0
"""Limit of the wait for a leader."""
META = "meta"
"""Instead of a stream's name: the group that assigns streams and consumers to nodes."""
_POLL_SECONDS = 0.1


class NatsCluster:
    """The cluster. Use `running_cluster`.

    A fault in the links of one node does not affect the links between the others.
    """

    def __init__(self, proxy: Proxy, nodes: Sequence[Node], disks: Sequence[Disk]) -> None:
        self._proxy = proxy
        self.nodes = nodes
        self.disks = disks
        """The disk of each node, if they have disks of their own."""
        self._ports = {link: proxy.open(link) for node in nodes for link in (_client(node), _monitor(node))}

    @property
    def url(self) -> str:
        """URLs for clients: all nodes, each through its link."""
        return ",".join(f"nats://127.0.0.1:{self._ports[_client(node)]}" for node in self.nodes)

    @property
    def monitor_urls(self) -> list[str]:
        """URLs of the monitoring ports, each through its link."""
        return [f"http://127.0.0.1:{self._ports[_monitor(node)]}" for node in self.nodes]

    def direct_url(self, node: Node) -> str:
        """URL of a node past its links, for the test itself."""
        return f"nats://127.0.0.1:{node.ports.client}"

    def start(self, node: Node) -> None:
        """Start a node, or restart it."""
        node.start()
        self._proxy.set_target(_client(node), node.ports.client)
        self._proxy.set_target(_monitor(node), node.ports.monitor)
        for other in self._others(node):
            self._proxy.set_target(_route(other, node), node.ports.route)

    def cut_from_peers(self, node: Node) -> None:
        """Silence all links between a node and its peers. Clients reach it as before."""
        self._set(self._routes(node), Mode.SILENT)

    def cut_off(self, node: Node) -> None:
        """Silence all links of a node, to peers and clients."""
        self._set(self._links(node), Mode.SILENT)

    def heal(self, node: Node) -> None:
        """Let all links of a node forward."""
        self._set(self._links(node), Mode.FORWARD)

    def slow(self, node: Node, seconds: float) -> None:
        """Delay all links of a node. 0 is no delay."""
        for link in self._links(node):
            self._proxy.set_delay(link, seconds)

    def spread(self, seconds: float) -> None:
        """Delay all links between nodes, as between zones. Links of clients have no delay."""
        for node in self.nodes:
            for other in self._others(node):
                self._proxy.set_delay(_route(node, other), seconds)

    def forget_connections(self, node: Node) -> None:
        """Reset all connections of a node."""
        for link in self._links(node):
            self._proxy.reset(link)

    async def leader_of(self, stream: str) -> Node:
        """The leader of a stream, or of `META`.

        Raises:
            TimeoutError: A majority of nodes names no common leader within `LEADER_SECONDS_MAX`.
        """
        async with asyncio.timeout(LEADER_SECONDS_MAX):
            while True:
                seen = [await self._leader_seen_by(node, stream) for node in self.nodes]
                for node in self.nodes:
                    if seen.count(node.name) > len(self.nodes) // 2:
                        return node
                await asyncio.sleep(_POLL_SECONDS)

    async def wait_until_healthy(self) -> None:
        """Wait until all running nodes report that they are healthy.

        Raises:
            AssertionError: They are not within `HEALTHY_SECONDS_MAX`; the message has their reports.
        """
        problems: list[str] = []
        try:
            async with asyncio.timeout(HEALTHY_SECONDS_MAX):
                while problems := await self._problems():  # noqa: ASYNC110 - nodes have no event for it
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise AssertionError(f"not healthy within {HEALTHY_SECONDS_MAX:.0f} s: {problems}") from None

    async def _problems(self) -> list[str]:
        reports = [await monitoring.problem(node) for node in self.nodes if node.runs]
        return [report for report in reports if report]

    async def _leader_seen_by(self, node: Node, stream: str) -> str:
        if not node.runs:
            return ""
        try:
            seen = await monitoring.leaders(node)
        except OSError:  # it is paused, or starting
            return ""
        return seen.meta if stream == META else seen.streams.get(stream, "")

    def _others(self, node: Node) -> list[Node]:
        return [other for other in self.nodes if other is not node]

    def _links(self, node: Node) -> list[str]:
        return [*self._routes(node), _client(node), _monitor(node)]

    def _routes(self, node: Node) -> list[str]:
        pairs = [(node, other) for other in self._others(node)]
        return [_route(*pair) for one in pairs for pair in (one, one[::-1])]

    def _set(self, links: Sequence[str], mode: Mode) -> None:
        for link in links:
            self._proxy.set_mode(link, mode)


@contextmanager
def running_cluster(
    folder: Path,
    *,
    size: int = NODES,
    started: int | None = None,
    sync_interval: str = "always",
    store_bytes_max: str = "4GB",
    disk_mib: int | None = None,
) -> Iterator[NatsCluster]:
    """A cluster whose nodes listen and begin to elect leaders. It is killed at the end.

    Args:
        folder: An existing folder for stores, configurations and logs.
        size: Number of nodes. 1 is a single server, not a cluster.
        started: Number of nodes that are started. The test may start the others. None: all.
        sync_interval: How often they flush.
        store_bytes_max: Size of each file store.
        disk_mib: Size of the disk of each node. None: no disks of their own.

    Raises:
        NoNamespaces: `disk_mib` is given, and this machine does not allow it.
    """
    with ExitStack() as stack:
        proxy = stack.enter_context(running_proxy())
        names = [f"n{index}" for index in range(size)]
        routes = {pair: proxy.open(_route_name(*pair)) for pair in itertools.permutations(names, 2)}
        members: list[Node] = []
        disks: list[Disk] = []
        for name in names:
            store = folder / name / "store"
            store.mkdir(parents=True)
            if disk_mib is not None:
                disks.append(stack.enter_context(small_disk(store, disk_mib)))
            config = NodeConfig(
                name=name,
                folder=folder / name,
                store=store,
                routes=[f"nats://127.0.0.1:{port}" for (begin, _), port in routes.items() if begin == name],
                sync_interval=sync_interval,
                store_bytes_max=store_bytes_max,
                command_prefix=disks[-1].command_prefix if disk_mib is not None else [],
            )
            members.append(Node(config))
            stack.callback(members[-1].close)
        cluster = NatsCluster(proxy, members, disks)
        for node in members[:started]:
            cluster.start(node)
        yield cluster


def _client(node: Node) -> str:
    return f"client-{node.name}"


def _monitor(node: Node) -> str:
    return f"monitor-{node.name}"


def _route(begin: Node, end: Node) -> str:
    return _route_name(begin.name, end.name)


def _route_name(begin: str, end: str) -> str:
    return f"route-{begin}-{end}"
