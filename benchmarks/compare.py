"""A benchmark in this checkout and in another one, in turns: medians and ratios side by side.

Both checkouts have their own environment (`make setup`). In each round the benchmark runs here and then there, so that
other load on the machine affects both. A checkout whose benchmarks are started differently, or write no
figures, gets its own command with `--command`; its figures are then read from the tables that it prints.

    make bench NAME=jobs AGAINST=../before ROUNDS=3 OPTIONS="--listed 10000"
    make bench NAME=jobs AGAINST=../before COMMAND="-m benchmarks.jobs --listed 10000" OPTIONS="--listed 10000"
"""

import argparse
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.shared.figures import Figure, figures_of, read_figures
from benchmarks.shared.report import machine, table

HERE = Path(__file__).resolve().parent.parent
Runs = Mapping[str, Sequence[float]]
"""The values of each figure by its key, one for each round."""


def main() -> None:
    """Run the benchmark in turns, and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="of the benchmark")
    parser.add_argument("--options", default="", help="of the benchmark")
    parser.add_argument("--against", type=Path, required=True, help="the other checkout")
    parser.add_argument("--command", help="arguments of the other checkout's Python, if they differ from here")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    ours = ["-m", "benchmarks", asked.name, *shlex.split(asked.options)]
    here: list[list[Figure]] = []
    there: list[list[Figure]] = []
    for number in range(1, asked.rounds + 1):
        print(f"round {number} of {asked.rounds}: here", file=sys.stderr)
        here.append(_with_figures(HERE, ours))
        print(f"round {number} of {asked.rounds}: {asked.against}", file=sys.stderr)
        if asked.command is None:
            there.append(_with_figures(asked.against, ours))
        else:
            there.append(figures_of(_run(asked.against, shlex.split(asked.command))))
    print(machine(), f"{asked.name}: medians of {asked.rounds} rounds in turns.", comparison(here, there), sep="\n\n")


def comparison(here: Sequence[Sequence[Figure]], there: Sequence[Sequence[Figure]]) -> str:
    """The figures of both sides, one list for each round, in one table.

    Figures that never differ are settings of the benchmark and left out. A figure of one side only is listed below the
    table.
    """
    labels = {figure.key: figure.label for figure in (*there[0], *here[0])}
    ours, theirs = _runs(here), _runs(there)
    rows = [
        [label, _spread(ours[key]), _spread(theirs[key]), _ratio(ours[key], theirs[key])]
        for key, label in labels.items()
        if key in ours and key in theirs and len({*ours[key], *theirs[key]}) > 1
    ]
    missing = [
        f"{side} only: {label}: {_spread(runs[key])}."
        for side, runs, others in (("Here", ours, theirs), ("There", theirs, ours))
        for key, label in labels.items()
        if key in runs and key not in others
    ]
    return "\n\n".join([table(["figure", "here", "there", "here / there"], rows), *missing])


def _with_figures(checkout: Path, command: Sequence[str]) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.jsonl"
        _run(checkout, [*command, "--figures", str(file)])
        return read_figures(file)


def _run(checkout: Path, command: Sequence[str]) -> str:
    """The stdout of a command in another checkout, with its own Python. Its stderr is shown."""
    python = checkout.resolve() / ".venv" / "bin" / "python"
    done = subprocess.run([str(python), *command], cwd=checkout, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"the benchmark ended with status {done.returncode} in {checkout}: {shlex.join(command)}")
    return done.stdout


def _runs(rounds: Sequence[Sequence[Figure]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for figures in rounds:
        for figure in figures:
            found.setdefault(figure.key, []).append(figure.value)
    return found


def _spread(values: Sequence[float]) -> str:
    median = f"{statistics.median(values):g}"
    return median if len(set(values)) == 1 else f"{median} ({min(values):g} to {max(values):g})"


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    base = statistics.median(theirs)
    return f"{statistics.median(ours) / base:.2f}" if base else "-"


if __name__ == "__main__":
    main()
