"""Keep Tiro running on this machine until Ctrl-C: `make run`."""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.local.arguments import add_folder, add_ports, shown
from deploy.local.deployment import Deployment
from deploy.local.port_owners import owners_of
from deploy.local.ports import USUAL_PORTS, Ports, suggested_block
from deploy.local.stack import BIN, NotReady, environment, require_free_folder, running_stack, wait_ready
from deploy.local.supervision import processes_in

WATCH_SECONDS = 1.0
"""How often the processes are looked at."""
OWN_CATALOGUE = ("TIRO_ENGINE", "TIRO_CATALOGUE")
"""Variables that choose other models than those that `tiro models pull` knows."""


def main() -> None:
    """Start everything, print the addresses, and wait."""
    parser = argparse.ArgumentParser("run", description=__doc__)
    add_folder(parser)
    add_ports(parser)
    parser.add_argument("--model", default=os.environ.get("TIRO_MODEL", ""), help="the model to load (default: base)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the same as Ctrl-C
    folder: Path = arguments.data
    ports: Ports = arguments.ports
    settings = environment(folder, ports)
    if arguments.model:
        settings |= {"TIRO_MODEL": arguments.model, "TIRO_DEFAULT_MODEL": arguments.model}
    try:
        require_free_folder(folder)
        _require_free(ports)
        _fetch(settings)
        sys.exit(_run(settings, folder, Deployment(ports, settings.get("TIRO_DEFAULT_MODEL", ""))))
    except KeyboardInterrupt:
        print("\nstopped")
    except NotReady as error:
        sys.exit(f"run: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)


def _require_free(ports: Ports) -> None:
    """Say which ports are taken, by what, and which ones are free.

    Raises:
        NotReady: Some are taken.
    """
    taken = ports.taken()
    if not taken:
        return
    owners = owners_of(taken)
    lines = [f"port {port} ({name}) is taken by {owners[name]}" for name, port in taken.items()]
    free = suggested_block()
    if free:
        lines.append(f"stop that, or choose other ports: `make run PORT={free.jobs}` takes {free.jobs} to {free.last}")
    raise NotReady("\nrun: ".join(lines))


def _fetch(settings: Mapping[str, str]) -> None:
    """Fetch the model before the services start: a download takes longer than they are waited for."""
    if any(settings.get(variable) for variable in OWN_CATALOGUE):
        return
    command = [str(BIN / "tiro"), "models", "pull", settings.get("TIRO_MODEL", "")]
    subprocess.run(command, env=dict(settings), check=True, stdout=subprocess.DEVNULL)


def _run(settings: Mapping[str, str], folder: Path, deployment: Deployment) -> int:
    with running_stack(settings) as supervisor:
        deployment.write(folder)
        print(f"starting Tiro; data and logs in {shown(folder)}/", flush=True)
        wait_ready(settings, supervisor, lambda name: print(f"  {name} is ready", flush=True))
        _welcome(deployment)
        return _watch(folder, supervisor)


def _welcome(deployment: Deployment) -> None:
    client = deployment.client_variables()
    print(f"jobs at {client['TIRO_ADDRESS']}, live streams at {client['TIRO_STREAMING_ADDRESS']}")
    print("in another terminal:")
    print("    source .venv/bin/activate")
    if deployment.ports != USUAL_PORTS:
        print(f"    export {' '.join(f'{name}={value}' for name, value in client.items())}")
    print("    tiro transcribe samples/dictation.wav")
    print("Ctrl-C stops", flush=True)


def _watch(folder: Path, supervisor: "subprocess.Popen[bytes]") -> int:
    """Report each process that ends and is started again, until supervisord ends. Returns its status."""
    known = processes_in(folder)
    while True:
        try:
            return supervisor.wait(WATCH_SECONDS)
        except subprocess.TimeoutExpired:
            processes = processes_in(folder)
        for name, process in processes.items():
            if process.pid and name in known and process.pid != known[name].pid:
                print(f"{name} ended and was started again; see {shown(folder)}/{name}.log", flush=True)
        known = {**known, **{name: process for name, process in processes.items() if process.pid}}


if __name__ == "__main__":
    main()
