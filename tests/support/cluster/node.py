"""One node of the cluster: a nats-server process that can be killed, stopped and started again."""

import json
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.nats import _executable

START_SECONDS_MAX = 20.0
END_SECONDS_MAX = 10.0
CLUSTER = "tiro-test"
_POLL_SECONDS = 0.02
_ANY_PORT = -1
_NOWHERE = "127.0.0.1:1"
"""The address that a node advertises. Nodes gossip addresses of other nodes, and would connect past the links."""

_CONFIG = """
server_name: "{name}"
listen: "127.0.0.1:{client}"
http: "127.0.0.1:{monitor}"
ports_file_dir: "{folder}"
jetstream {{
  store_dir: "{store}"
  sync_interval: {sync_interval}
  max_file_store: {store_bytes_max}
}}
"""
_CLUSTER_CONFIG = """
cluster {{
  name: "{cluster}"
  listen: "127.0.0.1:{route}"
  advertise: "{nowhere}"
  no_advertise: true
  routes: [{routes}]
}}
"""


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """The configuration of a node."""

    name: str
    folder: Path
    """An existing folder for its configuration and log."""
    store: Path
    """The folder of its streams."""
    routes: Sequence[str]
    """URLs of the other nodes. Empty: a single server."""
    sync_interval: str
    """How often it flushes. `always`: before each acknowledgement."""
    store_bytes_max: str
    """Size of its file store, in NATS's notation."""
    command_prefix: Sequence[str]
    """The prefix of its command line; see `Disk.command_prefix`."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports of a node. It keeps them over restarts."""

    client: int = _ANY_PORT
    route: int = _ANY_PORT
    monitor: int = _ANY_PORT


class Node:
    """One node."""

    def __init__(self, config: NodeConfig) -> None:
        self.name = config.name
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None
        self.ports = Ports()
        """Its real ports, not those of its links. Known after its first start."""

    @property
    def runs(self) -> bool:
        """Whether its process exists. A paused node runs, too."""
        return self._process is not None

    def start(self) -> None:
        """Start it, and wait until it listens. JetStream needs a majority of nodes; that is not awaited.

        Raises:
            RuntimeError: It does not listen within `START_SECONDS_MAX`; the message has its log.
        """
        config = self._config.folder / "nats.conf"
        config.write_text(self._render())
        command = [*self._config.command_prefix, _executable(), "--config", str(config)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stderr=log)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._learn_ports(self._process.pid):
            if time.monotonic() > deadline or self._process.poll() is not None:
                self.close()
                raise RuntimeError(f"{self.name} did not start:\n{self.log.read_text()}")
            time.sleep(_POLL_SECONDS)

    def kill(self) -> None:
        """Kill it. Its sockets close, so its peers and clients notice at once."""
        process = self._running()
        process.kill()
        process.wait(END_SECONDS_MAX)
        self._process = None

    def pause(self) -> None:
        """Stop its execution (SIGSTOP). Its connections stay open."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue its execution."""
        self._running().send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Kill it if it runs."""
        if self._process is not None:
            self.kill()

    @property
    def log(self) -> Path:
        """The file of its log, over all starts."""
        return self._config.folder / "nats.log"

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            raise RuntimeError(f"{self.name} does not run")
        return self._process

    def _render(self) -> str:
        config, ports = self._config, self.ports
        return (_CONFIG + (_CLUSTER_CONFIG if config.routes else "")).format(
            name=config.name,
            client=ports.client,
            monitor=ports.monitor,
            route=ports.route,
            folder=config.folder,
            store=config.store,
            sync_interval=config.sync_interval,
            store_bytes_max=config.store_bytes_max,
            cluster=CLUSTER,
            nowhere=_NOWHERE,
            routes=", ".join(f'"{route}"' for route in config.routes),
        )

    def _learn_ports(self, pid: int) -> bool:
        """Whether it has written its ports file, which it does once it listens on all of them."""
        try:
            ports = json.loads((self._config.folder / f"nats-server_{pid}.ports").read_text())
        except (FileNotFoundError, json.JSONDecodeError):  # not written yet, or partly
            return False
        self.ports = Ports(*(_port(ports, kind) for kind in ("nats", "cluster", "monitoring")))
        return True


def _port(ports: dict[str, list[str]], kind: str) -> int:
    """A port in its ports file. `_ANY_PORT` if it does not listen for this."""
    return next((urlsplit(url).port or _ANY_PORT for url in ports.get(kind, [])), _ANY_PORT)
