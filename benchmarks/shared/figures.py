"""The figures of a benchmark: every number in its tables and in the lines between them."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

BEFORE_CHARACTERS = 50
AFTER_CHARACTERS = 40
"""The text around a number in a line is the number's label."""
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?!\w)")
_NO_FIGURES = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[| cores, Linux ")
_PERCENTILE = re.compile(r"p\d+")


@dataclass(frozen=True, slots=True)
class Figure:
    """One number.

    Attributes:
        key: Its position. Two runs of a benchmark with the same options have the same keys, also if another version of
            the benchmark names a column differently.
        label: A description for readers.
        value: In the unit of its column.
    """

    key: str
    label: str
    value: float


def figures_of(body: str) -> list[Figure]:
    """The figures in a benchmark's Markdown: of tables by their order, of lines by their text.

    Lines of a log and the description of the machine are skipped.
    """
    found: list[Figure] = []
    tables = 0
    for is_table, lines in groupby(body.splitlines(), lambda line: line.startswith("|")):
        if is_table:
            tables += 1
            header, _, *rows = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines)
            found += _of_table(tables, header, rows)
        else:
            found += [figure for line in lines if not _NO_FIGURES.search(line) for figure in _of_line(line)]
    return found


def write_figures(file: Path, figures: Sequence[Figure]) -> None:
    """Write figures, one JSON object in a line."""
    file.write_text("".join(f"{json.dumps(asdict(figure))}\n" for figure in figures), encoding="utf-8")


def read_figures(file: Path) -> list[Figure]:
    """Read a file of `write_figures`."""
    return [Figure(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def _of_table(table: int, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[Figure]:
    for number, row in enumerate(rows, start=1):
        name = ", ".join(cell for index, cell in enumerate(row) if cell and (not index or not _NUMBER.search(cell)))
        for column, (title, cell) in enumerate(zip(header[1:], row[1:], strict=True), start=1):
            values = _NUMBER.findall(cell)
            percentiles = _PERCENTILE.findall(title)
            for index, value in enumerate(values):
                which = f" {percentiles[index]}" if len(percentiles) == len(values) > 1 else ""
                which = which or (f" #{index + 1}" if len(values) > 1 else "")
                key = f"table {table}, row {number}, column {column}, {index}"
                yield Figure(key, f"{header[0]} {name}: {title}{which}".strip(), float(value))


def _of_line(line: str) -> Iterator[Figure]:
    said = _NUMBER.sub("#", line)
    for index, found in enumerate(_NUMBER.finditer(line)):
        before, after = line[: found.start()][-BEFORE_CHARACTERS:], line[found.end() :][:AFTER_CHARACTERS]
        yield Figure(f"{said}, {index}", f"{before}#{after}", float(found[0]))
