"""The report of a benchmark: tables, and a section of docs/benchmarks.md with the machine that it ran on."""

import datetime as dt
import os
import platform
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
_LIBRARIES = ("faster-whisper", "ctranslate2", "grpcio", "nats-py", "av")


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def machine() -> str:
    """The machine and the versions, in a line."""
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return (
        f"{_cpu()}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}; {libraries}"
    )


def record(name: str, body: str) -> None:
    """Replace the section of this name in the document, or add it."""
    today = dt.datetime.now(dt.UTC).date().isoformat()
    section = f"## {name}\n\n{today}; {machine()}.\n\n{body}\n"
    text = DOCUMENT.read_text() if DOCUMENT.exists() else "# Benchmarks\n"
    pattern = re.compile(rf"^## {re.escape(name)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    text = pattern.sub(section + "\n", text) if pattern.search(text) else f"{text.rstrip()}\n\n{section}"
    DOCUMENT.write_text(text.rstrip() + "\n")


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
