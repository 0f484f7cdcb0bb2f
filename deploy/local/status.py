"""Show the deployment that runs on this machine: `make status`."""

import argparse
import sys
from datetime import timedelta
from pathlib import Path

from deploy.local.arguments import add_folder, shown
from deploy.local.deployment import Deployment
from deploy.local.ports import HOST, Ports
from deploy.local.stack import is_serving, last_line
from deploy.local.supervision import ProcessState, processes_in

READY = 0
NOT_READY = 1
NOT_RUNNING = 3
"""The exit code that service managers use for it (LSB)."""


def main() -> None:
    """Print a line for each process. The exit code is 0 if all are ready, 1 if some are not, 3 if none runs."""
    parser = argparse.ArgumentParser("status", description=__doc__)
    add_folder(parser)
    sys.exit(show(parser.parse_args().data))


def show(folder: Path) -> int:
    """Print the state of the deployment with this data folder. Returns the exit code."""
    deployment, processes = Deployment.read(folder), processes_in(folder)
    if deployment is None or not processes:
        print(f"no Tiro runs with the data folder {shown(folder)}/; `make run` starts one")
        return NOT_RUNNING
    print(f"Tiro in {shown(folder)}/, model {deployment.model or 'of the catalogue'}")
    states = [_show(folder, process, _port(name, deployment.ports)) for name, process in processes.items()]
    return READY if all(states) else NOT_READY


def _show(folder: Path, process: ProcessState, port: int) -> bool:
    """Print one process. Returns whether it is ready."""
    listens = process.listens_on(port)
    ready = listens and (process.name == "nats" or is_serving(f"{HOST}:{port}"))
    state = "ready" if ready else "not ready" if process.pid else process.state.lower()
    age = timedelta(seconds=round(process.age_seconds))
    print(f"  {process.name:<12} {state:<10} {HOST}:{port:<6} up {age}  process {process.pid or '-'}")
    if not ready:
        print(f"    {shown(folder)}/{process.name}.log: {last_line(folder, process.name)}")
    return ready


def _port(name: str, ports: Ports) -> int:
    return {"nats": ports.nats, "ingest": ports.jobs, "streamer": ports.live, "transcriber": ports.transcriber}[name]


if __name__ == "__main__":
    main()
