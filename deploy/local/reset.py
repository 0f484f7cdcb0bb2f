"""Delete what `make run` keeps: recordings, jobs, transcripts and logs. `make reset`."""

import argparse
import shutil
import sys
from pathlib import Path

from deploy.local.arguments import add_folder, shown
from deploy.local.deployment import FILE
from deploy.local.stack import LOCK, NotReady, locked

KEPT = (FILE, LOCK, "nats", "*.log", "*.log.*", "supervisord.pid", "supervisor.sock")
"""What a deployment writes into its data folder. Nothing else is deleted."""
_MEGABYTE = 1_000_000


def main() -> None:
    """Ask, and delete."""
    parser = argparse.ArgumentParser("reset", description=__doc__)
    add_folder(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    arguments = parser.parse_args()
    folder: Path = arguments.data
    if not (folder / FILE).is_file():
        print(f"reset: no Tiro has run with the data folder {shown(folder)}/")
        return
    if not arguments.yes and not _confirmed(folder):
        sys.exit("reset: nothing was deleted")
    try:
        with locked(folder):
            _delete(folder)
    except NotReady as error:
        sys.exit(f"reset: {error}; stop it first")
    print(f"reset: {shown(folder)}/ is empty")


def _confirmed(folder: Path) -> bool:
    if not sys.stdin.isatty():
        sys.exit("reset: nobody can be asked here: `make reset YES=1` deletes without asking")
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / _MEGABYTE
    question = f"Delete all recordings, jobs, transcripts and logs in {shown(folder)}/ ({size:.0f} MB)? [y/N] "
    return input(question).strip().lower() in {"y", "yes"}


def _delete(folder: Path) -> None:
    for pattern in KEPT:
        for path in folder.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


if __name__ == "__main__":
    main()
