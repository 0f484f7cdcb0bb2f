"""A trial: a cluster with Tiro, callers, speakers and probes, injected faults, and figures at the end."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from tests.support.cluster import figures, monitoring, probes
from tests.support.cluster.audit import audit
from tests.support.cluster.callers import Accepted, Callers
from tests.support.cluster.deployment import Deployment, running_deployment
from tests.support.cluster.faults import Fault
from tests.support.cluster.figures import Figures, Outage
from tests.support.cluster.nats import NODES, NatsCluster, running_cluster
from tests.support.cluster.node import Node
from tests.support.cluster.speakers import Speaker
from tests.support.cluster.store import open_store
from tests.support.cluster.watched import Watched
from tests.support.cluster.words import Vocabulary
from tiro_client import AsyncClient

SPEAKERS = 4
JOBS_PER_SECOND = 1.0
BEFORE_SECONDS = 5.0
"""Load before the first fault."""
AFTER_SECONDS = 12.0
"""Load after each fault, once all nodes are healthy."""


@dataclass(frozen=True, slots=True)
class _Strike:
    """A fault that is over. Times are monotonic seconds."""

    fault: str
    nodes: str
    because: str
    clients: list[str]
    begun: float
    over: float
    healthy: float
    until: float


class Trial:
    """A trial under way. Use `running_trial`."""

    def __init__(
        self,
        cluster: NatsCluster,
        deployment: Deployment,
        callers: Callers,
        speakers: Sequence[Speaker],
        watched: Sequence[Watched],
    ) -> None:
        self.cluster = cluster
        self.deployment = deployment
        self.callers = callers
        self.speakers = speakers
        self._watched = watched
        self._strikes: list[_Strike] = []
        self._stop = asyncio.Event()
        self._load: list[asyncio.Task[None]] = []

    async def begin_load(self) -> None:
        """Start callers, speakers and probes."""
        load = [
            self.callers.call_until(self._stop, per_second=JOBS_PER_SECOND),
            *(speaker.speak_until(self._stop) for speaker in self.speakers),
            *(each.works.run_until(self._stop) for each in self._watched),
            *(each.health.run_until(self._stop) for each in self._watched),
        ]
        self._load = [asyncio.create_task(each, name="load") for each in load]
        await asyncio.sleep(BEFORE_SECONDS)

    async def strike_leader(self, fault: Fault, stream: str, seconds: float) -> None:
        """Inject a fault into the leader of a stream; see `strike`."""
        await self.strike(fault, [await self.cluster.leader_of(stream)], seconds, because=f"leads {stream}")

    async def strike(self, fault: Fault, nodes: Sequence[Node], seconds: float, *, because: str) -> None:
        """Inject a fault into nodes at once; heal it, wait until all nodes are healthy, and for `AFTER_SECONDS`."""
        clients = [name for node in nodes for name in await monitoring.clients(node)]
        begun = time.monotonic()
        with ExitStack() as hit:
            for node in nodes:
                hit.enter_context(fault(self.cluster, node))
            await asyncio.sleep(seconds)
        over = time.monotonic()
        await self.cluster.wait_until_healthy()
        healthy = time.monotonic()
        await asyncio.sleep(AFTER_SECONDS)
        names = "+".join(node.name for node in nodes)
        times = (begun, over, healthy, time.monotonic())
        self._strikes.append(_Strike(fault.__name__, names, because, sorted(clients), *times))

    async def finish(self) -> Figures:
        """End the load, audit the store, and return all figures."""
        self._stop.set()
        await asyncio.gather(*self._load)
        async with open_store(self.cluster) as store:
            found = await audit(store, self.callers)
        return Figures(
            jobs=figures.of_jobs(self.callers),
            live=figures.of_live(self.speakers),
            outages=[self._outage(strike) for strike in self._strikes],
            probe_errors={each.works.name: each.works.errors for each in self._watched},
            services=figures.of_services(self.deployment),
            audit=found,
        )

    async def abort(self) -> None:
        """Cancel the load."""
        for task in self._load:
            task.cancel()
        await asyncio.gather(*self._load, return_exceptions=True)

    def _outage(self, strike: _Strike) -> Outage:
        return Outage(
            fault=strike.fault,
            nodes=strike.nodes,
            because=strike.because,
            lasted_seconds=strike.over - strike.begun,
            healthy_seconds=strike.healthy - strike.over,
            clients=strike.clients,
            outage_seconds={each.works.name: each.outage_seconds(strike.begun, strike.until) for each in self._watched},
            false_health_seconds={
                each.name: each.false_health_seconds(strike.begun, strike.until) for each in self._watched
            },
        )


@asynccontextmanager
async def running_trial(folder: Path, *, nodes: int = NODES, disk_mib: int | None = None) -> AsyncIterator[Trial]:
    """A cluster with Tiro, ready and without load. All is killed at the end.

    Args:
        folder: For stores and logs of nodes, and logs of services.
        nodes: Number of nodes.
        disk_mib: Size of the disk of each node. None: no disks of their own.

    Raises:
        AssertionError: The services are not ready in time.
        NoNamespaces: `disk_mib` is given, and this machine does not allow it.
    """
    with running_cluster(folder, size=nodes, disk_mib=disk_mib) as cluster:
        await cluster.wait_until_healthy()
        async with running_deployment(cluster, folder / "logs") as deployment:
            await deployment.wait_until_ready()
            async with trial_of(cluster, deployment) as trial:
                yield trial


@asynccontextmanager
async def trial_of(
    cluster: NatsCluster, deployment: Deployment, promised: Sequence[Accepted] = ()
) -> AsyncIterator[Trial]:
    """A trial on a deployment that is ready.

    Args:
        cluster: The cluster.
        deployment: The services on it.
        promised: Jobs that were accepted before. The audit includes them.
    """
    async with AsyncExitStack() as stack:
        vocabulary = Vocabulary()
        ingests, streamers = ([member.address for member in deployment.of(name)] for name in ("ingest", "streamer"))
        callers = await stack.enter_async_context(Callers(ingests, vocabulary))
        callers.accepted += promised
        speakers = [Speaker(streamers[number % len(streamers)], vocabulary) for number in range(SPEAKERS)]
        trial = Trial(cluster, deployment, callers, speakers, await _watch(stack, callers, deployment, vocabulary))
        stack.push_async_callback(trial.abort)
        yield trial


async def _watch(
    stack: AsyncExitStack, callers: Callers, deployment: Deployment, vocabulary: Vocabulary
) -> list[Watched]:
    """Probes of each process that serves calls."""
    await callers.submit(as_upload=False)
    known = callers.accepted[-1].job
    watched: list[Watched] = []
    for member in [*deployment.of("ingest"), *deployment.of("streamer")]:
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(member.address))
        if member.service == "ingest":
            works = probes.reading(f"get from {member.name}", channel, known)
        else:
            client = await stack.enter_async_context(AsyncClient(member.address, streaming_address=member.address))
            works = probes.opening(f"session at {member.name}", client, vocabulary)
        watched.append(Watched(member.name, works, probes.asking_health(f"health of {member.name}", channel)))
    return watched
