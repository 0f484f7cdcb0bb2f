"""Standard input as a recording: `-` in the place of a file."""

import sys
from pathlib import Path

import typer

STANDARD_INPUT = "-"
_PATH = Path("/dev/stdin")


def standard_input() -> Path:
    """The path of standard input.

    Raises:
        typer.BadParameter: It is a terminal, into which nobody types a recording.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        raise typer.BadParameter("standard input is a terminal: send audio through a pipe", param_hint="FILE")
    return _PATH
