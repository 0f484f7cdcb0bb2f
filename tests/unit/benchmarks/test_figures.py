"""Figures of benchmarks: read from tables, and compared between two checkouts."""

from pathlib import Path

from benchmarks.compare import comparison
from benchmarks.shared.figures import Figure, figures_of, read_figures, write_figures
from benchmarks.shared.report import machine, table

BODY = f"""tiny.en, 3 rounds.

{table(["streams", "word latency p50 / p95 (s)", "stable words changed"], [[8, "0.44 / 1.10", "5.5 %"]])}

{table(["recordings", "", "seconds"], [["2 short", "engine alone", 38.8], ["2 short", "whole system", 22.4]])}

An idle worker starts after 3.9 ms (median of 20)."""


def values(body: str) -> dict[str, float]:
    """Every figure by its label."""
    return {figure.label: figure.value for figure in figures_of(body)}


def test_every_number_of_tables_and_lines_is_a_figure() -> None:
    """A cell with several percentiles is several figures. Names of rows and models are none."""
    assert values(BODY) == {
        "tiny.en, # rounds.": 3,
        "streams 8: word latency p50 / p95 (s) p50": 0.44,
        "streams 8: word latency p50 / p95 (s) p95": 1.10,
        "streams 8: stable words changed": 5.5,
        "recordings 2 short, engine alone: seconds": 38.8,
        "recordings 2 short, whole system: seconds": 22.4,
        "An idle worker starts after # ms (median of 20).": 3.9,
        "An idle worker starts after 3.9 ms (median of #).": 20,
    }


def test_logs_and_the_description_of_the_machine_have_no_figures() -> None:
    """Lines that a checkout prints besides its tables are skipped."""
    assert figures_of("2026-11-30 07:13:22 [info     ] nats_connected  url=nats://127.0.0.1:45287\n" + machine()) == []


def test_figures_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Figures survive a round trip through a file."""
    file = tmp_path / "figures.jsonl"
    write_figures(file, figures_of(BODY))
    assert read_figures(file) == figures_of(BODY)


def test_two_sides_are_compared_by_position() -> None:
    """A comparison has medians and their ratio. A column may be renamed, and settings are left out."""
    here = [figures_of(BODY.replace("38.8", value)) for value in ("30", "20", "40")]
    there = [figures_of(BODY.replace("38.8", value).replace("seconds", "s needed")) for value in ("10", "20", "15")]
    found = comparison(here, there)
    assert "| recordings 2 short, engine alone: seconds | 30 (20 to 40) | 15 (10 to 20) | 2.00 |" in found
    assert len(found.splitlines()) == 3


def test_figures_of_one_side_only_are_named() -> None:
    """A figure without a counterpart is listed, not compared."""
    here, there = [Figure("a", "only here", 1.0)], [Figure("b", "only there", 2.0)]
    found = comparison([here], [there])
    assert "Here only: only here: 1." in found
    assert "There only: only there: 2." in found
