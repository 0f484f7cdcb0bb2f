"""What supervisord says about the processes of a local deployment."""

import http.client
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import Error, ServerProxy

import psutil
from supervisor.xmlrpc import SupervisorTransport

from deploy.local.ports import listens_on

SOCKET = "supervisor.sock"
FOLDER_CHARACTERS_MAX = 85
"""The longest path of a data folder: with the name of supervisord's socket it must fit into 107 bytes (unix(7))."""
REFUSALS = (2, 3)
"""The exit statuses with which a service refuses its settings, its port or its NATS: another start does not help."""
ENDED_AT_ONCE = "BACKOFF"
"""supervisord's state of a process that ended within a second, as nats-server does when its port is taken."""


@dataclass(frozen=True, slots=True)
class ProcessState:
    """A process of the deployment."""

    name: str
    state: str
    """As supervisord names it: RUNNING, STARTING, BACKOFF, EXITED, STOPPED."""
    pid: int
    """0 while it does not run."""
    age_seconds: float
    exit_status: int
    """The status of its last end. 0 if it has not ended."""

    @property
    def refused(self) -> bool:
        """Whether it has refused to start."""
        return self.exit_status in REFUSALS or self.state == ENDED_AT_ONCE

    def listens_on(self, port: int) -> bool:
        """Whether this process, and not one of another deployment, listens on a port."""
        try:
            connections = psutil.Process(self.pid).net_connections("tcp") if self.pid else []
        except psutil.Error:  # it has ended
            return False
        return any(listens_on(connection, port) for connection in connections)


def processes_in(folder: Path) -> dict[str, ProcessState]:
    """The processes of the deployment with this data folder, by name. Empty while no supervisord answers there."""
    # The address is not used: the transport has its own.
    transport = SupervisorTransport(None, None, f"unix://{folder / SOCKET}")
    server: Any = ServerProxy("http://localhost", transport=transport)
    try:
        found: list[dict[str, Any]] = server.supervisor.getAllProcessInfo()
    except (OSError, Error, http.client.HTTPException):
        return {}
    finally:
        transport.close()
    return {one["name"]: _state(one) for one in found}


def _state(one: dict[str, Any]) -> ProcessState:
    age = max(0.0, time.time() - one["start"]) if one["pid"] else 0.0
    return ProcessState(one["name"], one["statename"], one["pid"], age, one["exitstatus"])
