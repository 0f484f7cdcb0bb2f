"""What can happen to a node, each a context manager: it happens at its beginning, and is over at its end.

To add a fault, write one here and name it in a test.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

from tests.support.cluster.nats import NatsCluster
from tests.support.cluster.node import Node

Fault: TypeAlias = Callable[[NatsCluster, Node], AbstractContextManager[None]]


@contextmanager
def killed(cluster: NatsCluster, node: Node) -> Iterator[None]:
    """`kill -9`: its connections are reset, so that all others know at once."""
    node.kill()
    yield
    cluster.start(node)


@contextmanager
def stopped(cluster: NatsCluster, node: Node) -> Iterator[None]:
    """SIGSTOP: it does nothing, its connections stay open, and it does not know afterwards that it was gone."""
    node.pause()
    try:
        yield
    finally:
        node.resume()


@contextmanager
def cut_from_peers(cluster: NatsCluster, node: Node) -> Iterator[None]:
    """Nothing passes between it and the other nodes. Its clients talk to it, and it has no majority."""
    cluster.cut_from_peers(node)
    try:
        yield
    finally:
        cluster.heal(node)


@contextmanager
def cut_off(cluster: NatsCluster, node: Node) -> Iterator[None]:
    """Nothing passes between it and anyone, and nobody is told: a cable is out. Afterwards connections go on."""
    cluster.cut_off(node)
    try:
        yield
    finally:
        cluster.heal(node)


@contextmanager
def host_off(cluster: NatsCluster, node: Node) -> Iterator[None]:
    """Its host loses power, and nobody is told. It boots again, and answers with resets to connections of before."""
    cluster.cut_off(node)
    node.kill()
    yield
    cluster.forget_connections(node)
    cluster.heal(node)
    cluster.start(node)


@contextmanager
def disk_full(cluster: NatsCluster, node: Node) -> Iterator[None]:
    """Somebody else's file takes all the room on its disk. At the end an operator has room made, and starts it again.

    nats-server keeps the error of a failed write until it is started again, and says so on `/healthz`.
    """
    disk = cluster.disks[cluster.nodes.index(node)]
    disk.fill()
    yield
    disk.free()
    node.kill()
    cluster.start(node)


@contextmanager
def slow(cluster: NatsCluster, node: Node) -> Iterator[None]:
    """Everything to and from it takes a fifth of a second longer, each way."""
    cluster.slow(node, 0.2)
    try:
        yield
    finally:
        cluster.slow(node, 0.0)
