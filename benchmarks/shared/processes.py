"""CPU time and memory of the processes of a deployment, from /proc."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_NAMES = {
    "nats-server": "nats",
    "tiro_ingest": "ingest",
    "tiro_streamer": "streamer",
    "tiro_transcriber": "transcriber",
    "whisperlive_server": "whisperlive",
    "benchmarks.live.echo_worker": "worker",
    "benchmarks.live.frame_speakers": "load",
}


@dataclass(frozen=True, slots=True)
class Usage:
    """Usage of one kind of process, with its children."""

    cpu_seconds: float
    resident_bytes: int


_NOTHING = Usage(0.0, 0)


@dataclass(frozen=True, slots=True)
class Sample:
    """The usage at one moment, by name of process."""

    at: float
    """By the monotonic clock."""
    usage: Mapping[str, Usage]


def usage_below(root: int) -> dict[str, Usage]:
    """Usage of NATS and the services that a process has started, by name. A child counts as its service."""
    parents, stats = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            pid = int(entry.name)
            parents[pid] = int(fields[1])
            stats[pid] = Usage((int(fields[11]) + int(fields[12])) / _TICKS, int(fields[21]) * _PAGE)
    found: dict[str, Usage] = {}
    for pid, usage in stats.items():
        name = _service_of(pid, parents, root)
        if name:
            before = found.get(name, _NOTHING)
            found[name] = Usage(before.cpu_seconds + usage.cpu_seconds, before.resident_bytes + usage.resident_bytes)
    return found


def cpu_between(before: Mapping[str, Usage], after: Mapping[str, Usage]) -> dict[str, float]:
    """CPU seconds used from one moment to another, by name."""
    return {name: used.cpu_seconds - before.get(name, _NOTHING).cpu_seconds for name, used in after.items()}


@contextmanager
def sampling(root: int, seconds: float, on_sample: Callable[[Sample], None] | None = None) -> Iterator[list[Sample]]:
    """Sample the processes below `root` at an interval until the context ends. The list is complete then.

    Args:
        root: The process that started them.
        seconds: The interval.
        on_sample: Called with each sample, on a thread of its own.
    """
    samples: list[Sample] = []
    ended = Event()

    def look() -> None:
        while True:
            samples.append(Sample(time.monotonic(), usage_below(root)))
            if on_sample is not None:
                on_sample(samples[-1])
            if ended.wait(seconds):
                return

    thread = Thread(target=look, name="sampling")
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def _service_of(pid: int, parents: dict[int, int], root: int) -> str:
    """The service that a process is, or was started by. Empty: it is not below the root."""
    name = ""
    while pid in parents and pid != root:
        name = _name(pid) or name
        pid = parents[pid]
    return name if pid == root else ""


def _name(pid: int) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""
    return next((name for part, name in _NAMES.items() if part in command), "")
