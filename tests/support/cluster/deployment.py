"""Tiro on a cluster: several processes of each service. One that exits unasked is restarted, and counted."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.cluster.nats import NatsCluster
from tests.support.processes import ServiceProcess
from tests.support.stack import ANY_PORT, READY

INGESTS = 2
STREAMERS = 2
TRANSCRIBERS = 3
READY_SECONDS_MAX = 90.0
"""Limit of the start of all services together, streams included. On two cores 11 to 34 s were measured."""
RESTART_SECONDS = 1.0
"""Delay of a restart."""
RESTARTS_MAX = 20
"""Limit of restarts of one process."""
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Exited:
    """A process that exited unasked."""

    name: str
    status: int
    last_line: str
    """The last line of its log, as JSON."""


class Member:
    """One process of a service."""

    def __init__(self, service: str, number: int, environment: Mapping[str, str]) -> None:
        self.service = service
        self.name = f"{service}-{number}"
        self.process = ServiceProcess(f"tiro_{service}", environment)
        self.logs: list[list[dict[str, object]]] = []
        """Its log: a list of lines for each start."""

    def start(self) -> None:
        """Start it, without waiting."""
        self.process.start()
        self.logs.append(self.process.log)

    @property
    def is_ready(self) -> bool:
        """Whether it has logged that it is ready, since its last start."""
        return any(line.get("event") == READY[self.service] for line in self.process.log)

    @property
    def is_connected(self) -> bool:
        """Whether it has logged that it is connected to NATS, since its last start."""
        return any(line.get("event") == "nats_connected" for line in self.process.log)

    def keep_address(self) -> None:
        """Keep its present address over restarts."""
        for line in self.process.log:
            if line.get("event") == "listening":
                self.process.environment[f"TIRO_{self.service.upper()}_ADDRESS"] = str(line["address"])

    @property
    def address(self) -> str:
        """`host:port` of its gRPC server."""
        return self.process.environment[f"TIRO_{self.service.upper()}_ADDRESS"]


class Deployment:
    """The services. Use `running_deployment`."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members
        self.exited: list[Exited] = []
        """Processes that exited unasked, in order."""

    def of(self, service: str) -> list[Member]:
        """The processes of a service."""
        return [member for member in self.members if member.service == service]

    async def wait_until_ready(self) -> None:
        """Wait until all services are ready.

        Raises:
            AssertionError: One is not within `READY_SECONDS_MAX`, or has exited; the message has its name.
        """
        await self.wait_until(lambda member: member.is_ready)
        for member in self.members:
            member.keep_address()

    async def wait_until(self, condition: Callable[[Member], bool]) -> None:
        """Wait until a condition holds for all processes.

        Raises:
            AssertionError: It does not within `READY_SECONDS_MAX`, or a process has exited; the message has its name.
        """
        try:
            async with asyncio.timeout(READY_SECONDS_MAX):
                while not all(condition(member) for member in self.members):
                    assert not self.exited, f"processes exited unasked: {self.exited}"
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            late = {member.name: member.process.log[-1:] for member in self.members if not condition(member)}
            raise AssertionError(f"not after {READY_SECONDS_MAX:.0f} s, last lines of their logs: {late}") from None

    async def supervise(self, member: Member) -> None:
        """Restart a process whenever it exits, `RESTARTS_MAX` times at most, until cancelled."""
        for _ in range(RESTARTS_MAX):
            await _end_of(member.process.pid)
            status = await asyncio.to_thread(member.process.wait)
            self.exited.append(Exited(member.name, status, json.dumps(member.process.log[-1:])))
            await asyncio.sleep(RESTART_SECONDS)
            member.start()

    def save_logs(self, folder: Path) -> None:
        """Write the log of each process to `<folder>/<name>.jsonl`."""
        folder.mkdir(parents=True, exist_ok=True)
        for member in self.members:
            lines = (f"{json.dumps(line)}\n" for log in member.logs for line in log)
            (folder / f"{member.name}.jsonl").write_text("".join(lines))


def environment_on(cluster: NatsCluster) -> dict[str, str]:
    """Environment of services on this cluster, each on a free port."""
    return {
        "TIRO_NATS_URL": cluster.url,
        "TIRO_NATS_MONITOR_URL": ",".join(cluster.monitor_urls),
        "TIRO_NATS_REPLICAS": str(len(cluster.nodes)),
        "TIRO_AUTH": "off",
        "TIRO_MAINTENANCE_INTERVAL_SECONDS": "5",
        "TIRO_ENGINE": "fake",
        "TIRO_DEFAULT_ENGINE": "fake",
        "TIRO_INGEST_METRICS_ADDRESS": "",
        "TIRO_STREAMER_METRICS_ADDRESS": "",
        "TIRO_TRANSCRIBER_METRICS_ADDRESS": "",
        "TIRO_INGEST_ADDRESS": ANY_PORT,
        "TIRO_STREAMER_ADDRESS": ANY_PORT,
        "TIRO_TRANSCRIBER_HEALTH_ADDRESS": ANY_PORT,
    }


@asynccontextmanager
async def running_deployment(
    cluster: NatsCluster, logs: Path, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Deployment]:
    """All services on a cluster. Their start is not awaited. They are killed at the end.

    Args:
        cluster: The cluster.
        logs: Folder where their logs are written at the end.
        settings: Further environment of the services.
    """
    environment = {**environment_on(cluster), **(settings or {})}
    counts = {"ingest": INGESTS, "streamer": STREAMERS, "transcriber": TRANSCRIBERS}
    members = [Member(service, number, environment) for service, count in counts.items() for number in range(count)]
    deployment = Deployment(members)
    supervising: list[asyncio.Task[None]] = []
    try:
        for member in members:
            member.start()
            supervising.append(asyncio.create_task(deployment.supervise(member), name=f"supervise-{member.name}"))
        yield deployment
    finally:
        for task in supervising:
            task.cancel()
        if supervising:
            await asyncio.wait(supervising)
        for member in members:
            await asyncio.to_thread(member.process.close)
        deployment.save_logs(logs)
    for task in supervising:
        if not task.cancelled():
            task.result()  # it has exhausted its restarts, or is at fault itself


async def _end_of(pid: int) -> None:
    """Wait until a child process has exited, without reaping it."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    handle = os.pidfd_open(pid)
    try:
        loop.add_reader(handle, ended.set)
        await ended.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)
