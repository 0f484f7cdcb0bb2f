"""A real nats-server on free ports, that tests can stop, kill and start again."""

import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import Signals
from urllib.parse import urlsplit

START_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 10.0
_POLL_SECONDS = 0.02
_ANY_PORT = -1

_CONFIG = """
listen: "127.0.0.1:{port}"
http: "127.0.0.1:{monitor_port}"
ports_file_dir: "{folder}"
"""
_JETSTREAM = """
jetstream {{
  store_dir: "{folder}/store"
  sync_interval: {sync_interval}
  max_file_store: {store_bytes_max}
}}
"""
_ACCOUNT = """
accounts {{
  limited {{
    users: [{{ user: "tiro", password: "tiro" }}]
    jetstream {{ max_file: {account_bytes_max}, max_memory: 512MB }}
  }}
}}
no_auth_user: "tiro"
"""
_AUTHORIZATION = """
authorization {{ user: "tiro", password: "{password}" }}
"""


class NatsServer:
    """One server process with JetStream. It keeps its ports and its store from one start to the next.

    Args:
        folder: An existing folder for its configuration, store and log.
        sync_interval: How often it flushes; `always` is before each acknowledgement.
        store_bytes_max: Size of its file store, in NATS's notation.
        jetstream: Whether it has JetStream.
        account_bytes_max: File storage in bytes of the account of clients without a name. None: no limits.
        password: Password of the user `tiro`. Empty: all clients may connect.
    """

    def __init__(
        self,
        folder: Path,
        *,
        sync_interval: str = "always",
        store_bytes_max: str = "16GB",
        jetstream: bool = True,
        account_bytes_max: int | None = None,
        password: str = "",
    ) -> None:
        self._jetstream = jetstream
        self._account_bytes_max = account_bytes_max
        self._password = password
        self._folder = folder
        self._sync_interval = sync_interval
        self._store_bytes_max = store_bytes_max
        self._process: subprocess.Popen[bytes] | None = None
        self._port = self._monitor_port = _ANY_PORT

    @property
    def url(self) -> str:
        """URL for clients. It stays the same over restarts."""
        return f"nats://127.0.0.1:{self._port}"

    @property
    def monitor_url(self) -> str:
        """URL of its monitoring port. It stays the same over restarts."""
        return f"http://127.0.0.1:{self._monitor_port}"

    @property
    def pid(self) -> int:
        """Id of the running server's process."""
        return self._running().pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and wait until JetStream is ready.

        Raises:
            RuntimeError: It is not within `START_SECONDS_MAX`; the message has its log.
        """
        config = self._write_config()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([_executable(), "--config", str(config)], stderr=log)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._is_ready():
            if time.monotonic() > deadline or self._process.poll() is not None:
                self.kill()
                raise RuntimeError(f"nats-server did not start:\n{self._log.read_text()}")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Stop it by SIGTERM."""
        process = self._running()
        process.terminate()
        process.wait(STOP_SECONDS_MAX)
        self._process = None

    def kill(self) -> None:
        """Kill it."""
        process = self._running()
        process.kill()
        process.wait(STOP_SECONDS_MAX)
        self._process = None

    def signal(self, signum: Signals) -> None:
        """Send it a signal. SIGSTOP suspends it, with all its connections open, until SIGCONT."""
        self._running().send_signal(signum)

    def close(self) -> None:
        """Kill it if it runs."""
        if self._process is not None:
            self.kill()

    def change_password(self, password: str) -> None:
        """Change the password while it runs. The server then closes the connections that used the old one."""
        self._password = password
        self._write_config()
        self._running().send_signal(signal.SIGHUP)

    def _write_config(self) -> Path:
        config = self._folder / "nats.conf"
        parts = [(_JETSTREAM, self._jetstream), (_ACCOUNT, self._account_bytes_max), (_AUTHORIZATION, self._password)]
        config.write_text(
            (_CONFIG + "".join(part for part, wanted in parts if wanted)).format(
                port=self._port,
                monitor_port=self._monitor_port,
                folder=self._folder,
                sync_interval=self._sync_interval,
                store_bytes_max=self._store_bytes_max,
                account_bytes_max=self._account_bytes_max,
                password=self._password,
            )
        )
        return config

    @property
    def _log(self) -> Path:
        return self._folder / "nats.log"

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("nats-server does not run")
        return self._process

    def _is_ready(self) -> bool:
        if not self._learn_ports():
            return False
        try:
            with urllib.request.urlopen(f"{self.monitor_url}/healthz", timeout=1) as answer:  # noqa: S310 - it is ours
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def _learn_ports(self) -> bool:
        if self._port != _ANY_PORT:
            return True
        file = self._folder / f"nats-server_{self.pid}.ports"
        try:
            ports = json.loads(file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):  # not written yet, or partly
            return False
        self._port = urlsplit(ports["nats"][0]).port
        self._monitor_port = urlsplit(ports["monitoring"][0]).port
        return True


@contextmanager
def running_nats(
    folder: Path,
    *,
    sync_interval: str = "always",
    store_bytes_max: str = "16GB",
    jetstream: bool = True,
    account_bytes_max: int | None = None,
    password: str = "",
) -> Iterator[NatsServer]:
    """A running server, killed at the end; see `NatsServer` for its options."""
    server = NatsServer(
        folder,
        sync_interval=sync_interval,
        store_bytes_max=store_bytes_max,
        jetstream=jetstream,
        account_bytes_max=account_bytes_max,
        password=password,
    )
    try:
        server.start()
        yield server
    finally:
        server.close()


def _executable() -> str:
    """The nats-server beside this Python, from the wheel, or else the one on the PATH."""
    found = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")
    if found is None:
        raise RuntimeError("there is no nats-server: run `make setup`")
    return found
