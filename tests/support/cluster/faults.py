"""Faults of a node. Each is a context manager: the fault begins at its start, and is healed at its end.

To add a fault, write one here and use it in a test.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

from tests.support.cluster.nats import NatsCluster
from tests.support.cluster.node import Node

Fault: TypeAlias = Callable[[NatsCluster, Node], AbstractContextManager[None]]


@contextmanager
def killed(cluster: NatsCluster, node: Node) -> Iterator[None]:
    """`kill -9`: its connections are closed, so peers and clients notice at once."""
    node.kill()
    yield
    cluster.start(node)


@contextmanager
def stopped(cluster: NatsCluster, node: Node) -> Iterator[None]:
    """SIGSTOP: its connections stay open, and it does not notice afterwards that it was stopped."""
    node.pause()
    try:
        yield
    finally:
        node.resume()


@contextmanager
def cut_from_peers(cluster: NatsCluster, node: Node) -> Iterator[None]:
    """A partition: the node has its clients and no majority."""
    cluster.cut_from_peers(node)
    try:
        yield
    finally:
        cluster.heal(node)


@contextmanager
def cut_off(cluster: NatsCluster, node: Node) -> Iterator[None]:
    """A cut cable: silence towards peers and clients. Connections continue afterwards."""
    cluster.cut_off(node)
    try:
        yield
    finally:
        cluster.heal(node)


@contextmanager
def host_off(cluster: NatsCluster, node: Node) -> Iterator[None]:
    """Power loss of its host: silence towards peers and clients. After the boot, old connections are reset."""
    cluster.cut_off(node)
    node.kill()
    yield
    cluster.forget_connections(node)
    cluster.heal(node)
    cluster.start(node)


@contextmanager
def disk_full(cluster: NatsCluster, node: Node) -> Iterator[None]:
    """Its disk is full. At the end an operator frees space and restarts the node.

    nats-server keeps the error of a failed write, and in a cluster disables JetStream, until it is restarted.
    """
    disk = cluster.disks[cluster.nodes.index(node)]
    disk.fill()
    yield
    disk.free()
    node.kill()
    cluster.start(node)


@contextmanager
def slow(cluster: NatsCluster, node: Node) -> Iterator[None]:
    """All its connections have a delay of 0.2 s each way."""
    cluster.slow(node, 0.2)
    try:
        yield
    finally:
        cluster.slow(node, 0.0)
