"""Tables: plain text, one line a row, and nothing cut that people type."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Column, Table

_WIDEST = 100_000
"""Columns of a table of which nothing is cut."""


def print_table(console: Console, columns: Sequence[Column | str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table as wide as its cells. A terminal that is narrower wraps the lines, and copies them whole.

    Args:
        console: Where to print.
        columns: The headings. A `Column` has the alignment.
        rows: The cells as text, a row for each line.
    """
    headings = (Column(one) if isinstance(one, str) else one for one in columns)
    table = Table(*headings, box=None, pad_edge=False)
    for column in table.columns:
        column.no_wrap = True
    for row in rows:
        table.add_row(*(" ".join(cell.split()) for cell in row))
    lines = console.render_lines(table, console.options.update(width=_width(console, table), no_wrap=False), pad=False)
    for line in lines:
        console.print("".join(segment.text for segment in line).rstrip(), soft_wrap=True, highlight=False, markup=False)


def _width(console: Console, table: Table) -> int:
    """The width at which nothing is cut."""
    return console.measure(table, options=console.options.update(width=_WIDEST)).maximum
