"""Whether a service's streams can be used: each needs a leader that has contact to a majority of its replicas.

An answer alone proves nothing. A server that is cut off from its peers still answers for the streams that it leads, for
some 20 s, and afterwards reports them without a leader (nats-server 2.15).
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from nats.js.api import ClusterInfo

from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import MessagingError, translated

CONTACT_SECONDS_MAX = 3.0
"""How long ago a leader may have had contact to a replica that counts. Leaders send heartbeats every second."""


@dataclass(frozen=True, slots=True)
class StreamFault:
    """Why a stream cannot be used."""

    reason: str
    is_isolated: bool = False
    """Whether the server that answers is cut off from its peers. Otherwise an election may be under way."""


async def stream_faults(bus: Bus, streams: Iterable[str], limit_seconds: float) -> dict[str, StreamFault]:
    """Ask for the state of each stream, and return those that cannot be used.

    Args:
        bus: The connection.
        streams: Names of streams.
        limit_seconds: How long all answers together may take.
    """
    names = list(streams)
    answers = await asyncio.gather(*(_fault(bus, name, limit_seconds) for name in names))
    return {name: fault for name, fault in zip(names, answers, strict=True) if fault is not None}


async def _fault(bus: Bus, stream: str, limit_seconds: float) -> StreamFault | None:
    try:
        async with asyncio.timeout(limit_seconds):
            with translated():
                info = await bus.jetstream.stream_info(stream)
    except TimeoutError:
        return StreamFault("no answer")
    except MessagingError as error:
        return StreamFault(str(error))
    return _fault_of(info.cluster) if info.cluster is not None else None  # a single server reports no cluster


def _fault_of(cluster: ClusterInfo) -> StreamFault | None:
    if not cluster.leader:
        return StreamFault("no leader")
    replicas = cluster.replicas or []  # without the leader
    in_contact = sum((replica.active or 0) / 1e9 <= CONTACT_SECONDS_MAX for replica in replicas)
    if (1 + in_contact) * 2 <= len(replicas) + 1:
        return StreamFault(f"its leader {cluster.leader} has no contact to a majority", is_isolated=True)
    return None
