"""Keep Tiro running on this machine until Ctrl-C: `make run`."""

import signal
import subprocess
import sys

from deploy.local.stack import ROOT, NotReady, environment, health_addresses, running_stack, wait_ready

FOLDER = ROOT / "var" / "run"


def main() -> None:
    """Start everything, print the addresses, and wait."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings = environment(FOLDER)
    try:
        with running_stack(settings) as supervisor:
            print(f"starting Tiro; data and logs in {FOLDER.relative_to(ROOT)}/", flush=True)
            wait_ready(settings, supervisor, lambda name: print(f"  {name} is ready", flush=True))
            addresses = health_addresses(settings)
            print(f"jobs at {addresses['ingest']}, live streams at {addresses['streamer']}; Ctrl-C stops", flush=True)
            sys.exit(supervisor.wait())
    except KeyboardInterrupt:
        print("\nstopped")
    except NotReady as error:
        sys.exit(f"run: {error}")
    except subprocess.SubprocessError as error:
        sys.exit(f"run: {error}")


if __name__ == "__main__":
    main()
