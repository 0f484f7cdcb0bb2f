"""Services as real processes, which tests start, stop and kill. Their logs are read as they are written."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from signal import SIGKILL, SIGTERM, Signals
from typing import Any

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0


class ServiceProcess:
    """One service. Its log is read line by line as it is written, so that tests can wait for an event in it.

    Args:
        module: The module to run, and arguments after it if there are any.
        environment: Variables of its environment, besides those of the test's process.
    """

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        self._module = module
        self.environment = {**os.environ, **environment, "TIRO_LOG_FORMAT": "json"}
        """Its environment at the next start."""
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._logged = threading.Condition()
        self.log: list[dict[str, Any]] = []
        """All lines of its log since it was started."""

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._running().pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return not self._ended()

    def start(self) -> None:
        """Start it, without waiting."""
        self.log = []
        command = [sys.executable, "-m", *self._module.split()]
        self._process = subprocess.Popen(command, env=self.environment, stderr=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def wait_for(self, event: str, seconds: float = START_SECONDS_MAX, **fields: str) -> dict[str, Any]:
        """Wait until it logs an event with these fields, and return the line: the first such line since it was started.

        Raises:
            AssertionError: It has ended, or has not logged it in time; the message has its log.
        """
        with self._logged:
            self._logged.wait_for(lambda: self._find(event, fields) is not None or self._ended(), timeout=seconds)
            line = self._find(event, fields)
            assert line is not None, f"{self._module} did not log {event!r}: {self.log}"
            return line

    def stop(self) -> int:
        """Stop it by SIGTERM, and return its exit status."""
        return self._end(SIGTERM)

    def kill(self) -> None:
        """Kill it."""
        self._end(SIGKILL)

    def signal(self, signum: Signals) -> None:
        """Send it a signal."""
        self._running().send_signal(signum)

    def close(self) -> None:
        """Kill it if it runs."""
        if self._process is not None:
            self.kill()

    def wait(self) -> int:
        """Wait until it has ended by itself, and return its exit status.

        Raises:
            AssertionError: It has not in time; the message has the end of its log.
        """
        process = self._running()
        try:
            status = process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{self._module} did not end: {self.log[-20:]}") from None
        finally:
            self._process = None
        if self._reader is not None:
            self._reader.join()
        return status

    def _end(self, signum: Signals) -> int:
        self.signal(signum)
        return self.wait()

    def _read(self, process: subprocess.Popen[str]) -> None:
        if process.stderr is None:
            return
        with process.stderr:
            for text in process.stderr:
                line = json.loads(text) if text.startswith("{") else {"event": "", "text": text.rstrip()}
                with self._logged:
                    self.log.append(line)
                    self._logged.notify_all()
        with self._logged:
            self._logged.notify_all()

    def _find(self, event: str, fields: Mapping[str, str]) -> dict[str, Any] | None:
        wanted = {"event": event, **fields}.items()
        return next((line for line in self.log if wanted <= line.items()), None)

    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError(f"{self._module} does not run")
        return self._process


@contextmanager
def starting(module: str, environment: Mapping[str, str]) -> Iterator[ServiceProcess]:
    """A service that was started and may not be ready yet. It is killed at the end."""
    service = ServiceProcess(module, environment)
    try:
        service.start()
        yield service
    finally:
        service.close()


@contextmanager
def running(module: str, environment: Mapping[str, str], *, ready: str) -> Iterator[ServiceProcess]:
    """A service that has logged the event `ready`. It is killed at the end."""
    with starting(module, environment) as service:
        service.wait_for(ready)
        yield service


@asynccontextmanager
async def running_async(module: str, environment: Mapping[str, str], *, ready: str) -> AsyncIterator[ServiceProcess]:
    """Like `running`, without blocking the event loop: a worker that runs in it must renew its record."""
    with starting(module, environment) as service:
        await asyncio.to_thread(service.wait_for, ready)
        yield service
