"""A deployment for live sessions, with transcribers that can be killed one by one and restarted at once."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.shared.started import await_serving, log_of, running_streamer
from deploy.local.ports import Ports, free_port
from deploy.local.stack import ROOT, environment

_SESSION_OVER = {"session_ended", "session_left", "session_handed_over", "session_broken"}


class Worker:
    """One transcriber process after the other, under one name and address."""

    def __init__(self, name: str, settings: Mapping[str, str]) -> None:
        self._address = f"127.0.0.1:{free_port()}"
        self._log = log_of(name, settings)
        self._settings = {
            **settings,
            "TIRO_LOG_FORMAT": "json",
            "TIRO_TRANSCRIBER_HEALTH_ADDRESS": self._address,
            "TIRO_TRANSCRIBER_METRICS_ADDRESS": "",
        }
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start a process with its own log, and wait until it is ready."""
        with self._log.open("w") as log:
            command = [sys.executable, "-m", "tiro_transcriber"]
            self._process = subprocess.Popen(command, env=self._settings, cwd=ROOT, stderr=log, text=True)
        await_serving(self._address, self._process, self._log)

    def kill(self) -> None:
        """Kill the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def sessions(self) -> set[str]:
        """The sessions that its process has claimed and not ended, by its log."""
        found: set[str] = set()
        for text in self._log.read_text().splitlines(keepends=True):
            if not (text.startswith("{") and text.endswith("}\n")):  # not from its log, or half written
                continue
            line = json.loads(text)
            if line["event"] == "session_claimed":
                found.add(line["session"])
            elif line["event"] in _SESSION_OVER:
                found.discard(line.get("session", ""))
        return found


@dataclass(frozen=True, slots=True)
class Deployment:
    """The streamer's address, and the workers behind it."""

    streaming_address: str
    workers: list[Worker]


@contextmanager
def running_deployment(folder: Path, settings: Mapping[str, str], *, workers: int) -> Iterator[Deployment]:
    """NATS, a streamer and transcribers, ready, until the context ends.

    Args:
        folder: For data and logs.
        settings: Further settings of the services.
        workers: How many transcribers there are.
    """
    all_settings = {**environment(folder, Ports.free()), **settings}
    with ExitStack() as stack:
        stack.enter_context(running_streamer(all_settings))
        started = [Worker(f"transcriber-{number}", all_settings) for number in range(workers)]
        for worker in started:
            stack.callback(worker.kill)
            worker.start()
        yield Deployment(all_settings["TIRO_STREAMING_ADDRESS"], started)
