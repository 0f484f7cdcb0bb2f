"""All of Tiro as real processes: NATS, ingest, streamer, transcriber."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.nats import NatsServer, running_nats
from tests.support.processes import ServiceProcess, starting

ANY_PORT = "127.0.0.1:0"
READY = {"ingest": "listening", "streamer": "listening", "transcriber": "ready"}
"""The event that each service logs once it is ready."""


class Stack:
    """The processes and their addresses."""

    def __init__(
        self, nats: NatsServer, services: Mapping[str, ServiceProcess], others: Sequence[ServiceProcess] = ()
    ) -> None:
        self.nats = nats
        self.ingest = services["ingest"]
        self.streamer = services["streamer"]
        self.transcriber = services["transcriber"]
        self.transcribers = [self.transcriber, *others]
        """All transcribers."""
        self.address = str(self.ingest.wait_for("listening")["address"])
        self.streaming_address = str(self.streamer.wait_for("listening")["address"])

    def restart(self, name: str) -> None:
        """Restart a service that was killed, on the same address."""
        restart_process(getattr(self, name), name)

    def repair(self) -> list[int]:
        """Restart all processes that do not run, wait until they are ready, and return the ids of all processes."""
        if not self.nats.is_running:
            self.nats.start()
        others = [(one, "transcriber") for one in self.transcribers]
        services = [(self.ingest, "ingest"), (self.streamer, "streamer"), *others]
        ended = [(service, name) for service, name in services if not service.is_running]
        for service, _ in ended:
            service.start()
        for service, name in ended:
            service.wait_for(READY[name])
        return [self.nats.pid, *(service.pid for service, _ in services)]

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which the client finds its services."""
        return {"TIRO_ADDRESS": self.address, "TIRO_STREAMING_ADDRESS": self.streaming_address}


def restart_process(service: ServiceProcess, name: str) -> None:
    """Restart a process of a service that was killed, and wait until it is ready."""
    service.start()
    service.wait_for(READY[name])


def service_environment(nats: NatsServer) -> dict[str, str]:
    """Environment of any service, each on a free port."""
    return {
        "TIRO_NATS_URL": nats.url,
        "TIRO_NATS_MONITOR_URL": nats.monitor_url,
        "TIRO_AUTH": "off",
        "TIRO_INGEST_ADDRESS": ANY_PORT,
        "TIRO_STREAMER_ADDRESS": ANY_PORT,
        "TIRO_TRANSCRIBER_HEALTH_ADDRESS": ANY_PORT,
        "TIRO_INGEST_METRICS_ADDRESS": "",
        "TIRO_STREAMER_METRICS_ADDRESS": "",
        "TIRO_TRANSCRIBER_METRICS_ADDRESS": "",
    }


@contextmanager
def running_stack(
    folder: Path, settings: Mapping[str, str], *, transcribers: int = 1, more: Sequence[Mapping[str, str]] = ()
) -> Iterator[Stack]:
    """NATS and the services on free ports, killed at the end.

    Args:
        folder: Folder of NATS's data.
        settings: Further environment of the services.
        transcribers: Number of transcribers with these settings.
        more: Further transcribers: for each its environment, besides `settings`.
    """
    with ExitStack() as stack:
        nats = stack.enter_context(running_nats(folder))
        environment = {**service_environment(nats), **settings}
        others_settings: list[Mapping[str, str]] = [{}] * (transcribers - 1) + list(more)
        # All start before the first is waited for: most of a start is imports.
        services = {name: stack.enter_context(starting(f"tiro_{name}", environment)) for name in READY}
        others = [
            stack.enter_context(starting("tiro_transcriber", {**environment, **each})) for each in others_settings
        ]
        for name, service in services.items():
            service.wait_for(READY[name])
        for service in others:
            service.wait_for(READY["transcriber"])
        for name in ("ingest", "streamer"):
            # A restarted service must have the same address.
            address = str(services[name].wait_for("listening")["address"])
            services[name].environment[f"TIRO_{name.upper()}_ADDRESS"] = address
        yield Stack(nats, services, others)
