"""The proxy: links in a process of its own, which a test's event loop cannot stall."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.cluster.link import Mode

_ROOT = Path(__file__).parents[3]
END_SECONDS_MAX = 10.0


class Proxy:
    """Commands to the proxy's process. Use `running_proxy`. A command returns once it is executed, in about 1 ms."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def open(self, link: str) -> int:
        """Create a link and return its port. It resets its connections until it has a target."""
        return self._command({"op": "open", "link": link})

    def set_target(self, link: str, port: int) -> None:
        """Set the port of this host that a link forwards to."""
        self._command({"op": "target", "link": link, "host": "127.0.0.1", "port": port})

    def set_mode(self, link: str, mode: Mode) -> None:
        """Set what a link does with its connections."""
        self._command({"op": "mode", "link": link, "mode": mode})

    def set_delay(self, link: str, seconds: float) -> None:
        """Delay each piece on a link. 0 is no delay."""
        self._command({"op": "delay", "link": link, "seconds": seconds})

    def reset(self, link: str) -> None:
        """Reset the connections of a link."""
        self._command({"op": "reset", "link": link})

    def _command(self, command: dict[str, object]) -> int:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the proxy was started without pipes")
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the proxy has exited: {self._process.wait(END_SECONDS_MAX)}")
        return int(answer)


@contextmanager
def running_proxy() -> Iterator[Proxy]:
    """A proxy without links. It is killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.cluster.proxy_process"],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Proxy(process)
        finally:
            process.kill()
