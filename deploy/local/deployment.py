"""The file in a data folder that says how its deployment was started: for `make status`, and for the next start."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from deploy.local.ports import Ports

FILE = "deployment.json"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment on this machine."""

    ports: Ports
    model: str
    """The model of requests that name none. Empty: the catalogue's default."""

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The deployment that was last started in a data folder. None if there was none."""
        try:
            found = json.loads((folder / FILE).read_text())
            return cls(Ports(**found["ports"]), found["model"])
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, folder: Path) -> None:
        """Write it into its data folder."""
        (folder / FILE).write_text(json.dumps(asdict(self)))

    def client_variables(self) -> Mapping[str, str]:
        """The variables with which `tiro` finds it."""
        return {
            "TIRO_ADDRESS": f"127.0.0.1:{self.ports.jobs}",
            "TIRO_STREAMING_ADDRESS": f"127.0.0.1:{self.ports.live}",
        }
