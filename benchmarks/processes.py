"""What the processes of a deployment have used, from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_NAMES = {
    "nats-server": "nats",
    "tiro_ingest": "ingest",
    "tiro_streamer": "streamer",
    "tiro_transcriber": "transcriber",
    "benchmarks.live_echo": "worker",
    "benchmarks.live_frames": "load",
}


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one kind of process, children included."""

    cpu_seconds: float
    resident_bytes: int


def usage_below(root: int) -> dict[str, Usage]:
    """What NATS and the services use that a process has started, by name. A child counts as its service."""
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
            before = found.get(name, Usage(0.0, 0))
            found[name] = Usage(before.cpu_seconds + usage.cpu_seconds, before.resident_bytes + usage.resident_bytes)
    return found


def _service_of(pid: int, parents: dict[int, int], root: int) -> str:
    """The service that a process is or was started by, if it is one below the root."""
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
