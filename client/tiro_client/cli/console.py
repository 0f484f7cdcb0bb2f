"""The consoles of the command line: results go to stdout, everything else to stderr."""

import json
from typing import Any, TextIO

from rich.console import Console

PIPED_COLUMNS = 1000
"""In a pipe a line is as long as it needs to be: a program that reads a table wants whole names, and one line a row."""


def results() -> Console:
    """The console for results. It writes text unchanged: no markup, no highlighting, no wrapping."""
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = PIPED_COLUMNS
    return console


def results_in(file: TextIO) -> Console:
    """The same for a file."""
    return Console(file=file, width=PIPED_COLUMNS, highlight=False, markup=False, emoji=False, soft_wrap=True)


def notes() -> Console:
    """The console for progress, notes and errors."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def print_json(console: Console, value: Any) -> None:
    """Print a value as one line of JSON."""
    console.print(json.dumps(value, ensure_ascii=False), style=None)


def clock(seconds: float) -> str:
    """Seconds as `mm:ss.cc`, preceded by hours where there are any."""
    centiseconds = round(seconds * 100)
    minutes, rest = divmod(centiseconds, 6000)
    hours, minutes = divmod(minutes, 60)
    text = f"{minutes:02}:{rest // 100:02}.{rest % 100:02}"
    return f"{hours}:{text}" if hours else text
