"""The ports of a local deployment."""

import socket
from contextlib import ExitStack
from dataclasses import asdict, astuple, dataclass
from typing import Any, Self

import psutil

HOST = "127.0.0.1"
PORT_MIN = 1024
"""Lower ports are for root."""
PORT_MAX = 65_535
SUGGESTED_FIRST = 51_000
"""The first port of the blocks that are suggested when a port is taken."""
SUGGESTED_STEP = 10


@dataclass(frozen=True, slots=True)
class Ports:
    """A port for each listener."""

    jobs: int
    """gRPC of ingest."""
    live: int
    """gRPC of the streamer."""
    transcriber: int
    """gRPC health of the transcriber."""
    nats: int
    nats_monitor: int
    ingest_metrics: int
    streamer_metrics: int
    transcriber_metrics: int

    @classmethod
    def block(cls, first: int) -> Self:
        """Consecutive ports.

        Raises:
            ValueError: Some are not between `PORT_MIN` and `PORT_MAX`.
        """
        last = first + PORTS_COUNT - 1
        if first < PORT_MIN or last > PORT_MAX:
            raise ValueError(f"the first port is between {PORT_MIN} and {PORT_MAX - PORTS_COUNT + 1}")
        return cls(*range(first, last + 1))

    @classmethod
    def free(cls) -> Self:
        """Ports that are free now."""
        with ExitStack() as stack:  # each stays taken until all are found: no port is found twice
            probes = [stack.enter_context(socket.socket()) for _ in range(PORTS_COUNT)]
            for probe in probes:
                probe.bind((HOST, 0))
            return cls(*(probe.getsockname()[1] for probe in probes))

    def taken(self) -> dict[str, int]:
        """The ports on which nobody can listen now, by the name of their listener."""
        return {name.replace("_", " "): port for name, port in asdict(self).items() if is_taken(port)}

    @property
    def last(self) -> int:
        """The highest port."""
        return max(int(port) for port in astuple(self))


USUAL_PORTS = Ports(
    jobs=50051,
    live=50052,
    transcriber=50053,
    nats=4222,
    nats_monitor=8222,
    ingest_metrics=9101,
    streamer_metrics=9102,
    transcriber_metrics=9103,
)
"""The defaults of the services and of NATS."""
PORTS_COUNT = len(astuple(USUAL_PORTS))


def free_port() -> int:
    """A free port."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def is_taken(port: int) -> bool:
    """Whether nobody can listen on a port now, because another process does."""
    with socket.socket() as probe:
        # As the services do: a port whose last connections are in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return True
    return False


def listens_on(connection: Any, port: int) -> bool:
    """Whether a connection, as psutil describes it, is a listener on a port."""
    return bool(connection.status == psutil.CONN_LISTEN and connection.laddr.port == port)


def suggested_block() -> Ports | None:
    """A block of free ports. None where there is none."""
    for first in range(SUGGESTED_FIRST, PORT_MAX - PORTS_COUNT, SUGGESTED_STEP):
        ports = Ports.block(first)
        if not ports.taken():
            return ports
    return None
