"""NATS nodes that form a cluster, three unless it is said, with a link in front of everything that connects to them."""

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
"""How long a cluster whose nodes all run may take until each says that it is healthy. Elections take 4 to 9 s."""
LEADER_SECONDS_MAX = 30.0
"""How long a stream may be without a leader while a majority runs."""
META = "meta"
"""Instead of a stream's name: the group that places streams and consumers."""
_POLL_SECONDS = 0.1


class NatsCluster:
    """The cluster. Use `running_cluster`.

    Its nodes find each other, and its clients find it, through links. Breaking the links of one node leaves the others
    as they are.
    """

    def __init__(self, proxy: Proxy, nodes: Sequence[Node], disks: Sequence[Disk]) -> None:
        self._proxy = proxy
        self.nodes = nodes
        self.disks = disks
        """The disk of each node, where they are small ones."""
        self._ports = {link: proxy.open(link) for node in nodes for link in (_client(node), _monitor(node))}

    @property
    def url(self) -> str:
        """Where clients connect: all nodes, each through its link."""
        return ",".join(f"nats://127.0.0.1:{self._ports[_client(node)]}" for node in self.nodes)

    @property
    def monitor_urls(self) -> list[str]:
        """The nodes' monitoring ports, each through its link."""
        return [f"http://127.0.0.1:{self._ports[_monitor(node)]}" for node in self.nodes]

    def direct_url(self, node: Node) -> str:
        """Where the test itself connects to a node, whatever its links do."""
        return f"nats://127.0.0.1:{node.ports.client}"

    def start(self, node: Node) -> None:
        """Start a node, or start it again."""
        node.start()
        self._proxy.set_target(_client(node), node.ports.client)
        self._proxy.set_target(_monitor(node), node.ports.monitor)
        for other in self._others(node):
            self._proxy.set_target(_route(other, node), node.ports.route)

    def cut_from_peers(self, node: Node) -> None:
        """Have nothing pass between a node and the others. Clients reach it as before."""
        self._set(self._routes(node), Mode.SILENT)

    def cut_off(self, node: Node) -> None:
        """Have nothing pass between a node and anyone."""
        self._set(self._links(node), Mode.SILENT)

    def heal(self, node: Node) -> None:
        """Have everything pass to and from a node."""
        self._set(self._links(node), Mode.FORWARD)

    def slow(self, node: Node, seconds: float) -> None:
        """Hold everything to and from a node this long. 0 ends it."""
        for link in self._links(node):
            self._proxy.set_delay(link, seconds)

    def forget_connections(self, node: Node) -> None:
        """Reset all connections to and from a node."""
        for link in self._links(node):
            self._proxy.reset(link)

    async def leader_of(self, stream: str) -> Node:
        """The node that leads a stream, or `META`.

        Raises:
            TimeoutError: There is no leader on which a majority agrees within `LEADER_SECONDS_MAX`.
        """
        async with asyncio.timeout(LEADER_SECONDS_MAX):
            while True:
                seen = [await self._leader_seen_by(node, stream) for node in self.nodes]
                for node in self.nodes:
                    if seen.count(node.name) > len(self.nodes) // 2:
                        return node
                await asyncio.sleep(_POLL_SECONDS)

    async def wait_until_healthy(self) -> None:
        """Wait until all nodes that run say that they are healthy.

        Raises:
            AssertionError: They do not within `HEALTHY_SECONDS_MAX`; the message has their complaints.
        """
        complaints: list[str] = []
        try:
            async with asyncio.timeout(HEALTHY_SECONDS_MAX):
                while complaints := await self._complaints():  # noqa: ASYNC110 - nodes tell nobody when they are
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise AssertionError(f"not healthy within {HEALTHY_SECONDS_MAX:.0f} s: {complaints}") from None

    async def _complaints(self) -> list[str]:
        said = [await monitoring.problem(node) for node in self.nodes if node.runs]
        return [problem for problem in said if problem]

    async def _leader_seen_by(self, node: Node, stream: str) -> str:
        if not node.runs:
            return ""
        try:
            seen = await monitoring.leaders(node)
        except OSError:  # it is stopped, or starting
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
    """A cluster whose nodes listen and are about to elect, gone at the end.

    Args:
        folder: An existing folder for what the nodes keep.
        size: How many nodes there are. With 1 it is a single server, which is no cluster.
        started: How many of them are started. The others are there to be started. None: all.
        sync_interval: How often they flush.
        store_bytes_max: How much each file store takes.
        disk_mib: Gives each node a disk of its own, of this size, which can be filled.

    Raises:
        NoNamespaces: There is to be a disk, and this machine does not allow it.
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
