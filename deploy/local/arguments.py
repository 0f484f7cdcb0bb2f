"""The options of `make run`, `make status` and `make reset`."""

import argparse
from pathlib import Path

from deploy.local.ports import USUAL_PORTS, Ports
from deploy.local.stack import ROOT

USUAL_FOLDER = ROOT / "var" / "run"


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Add the option for the data folder."""
    parser.add_argument(
        "--data",
        type=lambda text: Path(text).expanduser().absolute(),
        default=USUAL_FOLDER,
        help="folder of recordings, jobs and logs (default: var/run)",
    )


def add_ports(parser: argparse.ArgumentParser) -> None:
    """Add the option for the ports."""
    parser.add_argument(
        "--port",
        dest="ports",
        type=_block,
        default=USUAL_PORTS,
        help="the first of the ports to use: jobs there, live streams at the next one (default: the usual ports)",
    )


def _block(text: str) -> Ports:
    try:
        return Ports.block(int(text))
    except ValueError as error:
        reason = str(error) if text.isdigit() else f"a port is a number, not {text!r}"
        raise argparse.ArgumentTypeError(reason) from None


def shown(folder: Path) -> str:
    """A folder for people: relative to the repository where it is in it."""
    return str(folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder)
