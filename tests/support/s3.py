"""A real S3 server, SeaweedFS on free ports, that tests can stop, kill and start again."""

import json
import random
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 10.0
_POLL_SECONDS = 0.05

BUCKET = "tiro-blobs"
ACCESS_KEY = "access-of-the-tests"
SECRET_KEY = "secret-of-the-tests"  # noqa: S105 - the server is ours
READER_KEY = "access-of-a-reader"
"""May read other buckets than `BUCKET` only, with the same secret."""
_IDENTITIES = {
    "identities": [
        {
            "name": "tiro",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        },
        {
            "name": "reader",
            "credentials": [{"accessKey": READER_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Read:elsewhere", "List:elsewhere"],
        },
    ]
}
_PORTS = ("master", "volume", "filer", "s3")
_PORT_RANGE = range(20_000, 32_000)


class S3Server:
    """One server process. It keeps its ports and its data from one start to the next."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        free = _free_ports()
        self._ports = {name: (next(free), next(free)) for name in _PORTS}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """URL for clients. It stays the same over restarts."""
        return f"http://127.0.0.1:{self._ports['s3'][0]}"

    @property
    def settings(self) -> Mapping[str, str]:
        """Settings of a service that uses it."""
        return {"blob_store": "s3", "s3_endpoint": self.url, "s3_bucket": BUCKET}

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment of a process that uses it, with its credentials."""
        variables = {f"TIRO_{name.upper()}": value for name, value in self.settings.items()}
        return {**variables, "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}

    def start(self) -> None:
        """Start it and wait until it answers and has its bucket.

        Raises:
            RuntimeError: It does not within `START_SECONDS_MAX`; the message has the end of its log.
        """
        (self._folder / "s3.json").write_text(json.dumps(_IDENTITIES))
        with (self._folder / "weed.log").open("ab") as log:
            self._process = subprocess.Popen(self._command(), stderr=log, stdout=log, cwd=self._folder)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not (self._answers(f"{self.url}/healthz") and self.make_bucket(BUCKET)):
            if time.monotonic() > deadline or self._process.poll() is not None:
                self.kill()
                raise RuntimeError(f"weed did not start:\n{(self._folder / 'weed.log').read_text()[-4000:]}")
            time.sleep(_POLL_SECONDS)

    def make_bucket(self, name: str) -> bool:
        """Create a bucket unless it exists, as a folder of the filer. False if the server does not answer yet."""
        folder = f"http://127.0.0.1:{self._ports['filer'][0]}/buckets/{name}/"
        return self._answers(folder) or self._answers(folder, method="POST")

    def kill(self) -> None:
        """Kill it if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_SECONDS_MAX)
            self._process = None

    def _command(self) -> list[str]:
        weed = str(Path(sys.executable).with_name("weed"))
        command = [weed, "-logtostderr=true", "server", "-dir=.", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        command += ["-filer", "-s3", "-s3.config=s3.json", "-s3.autoCreateBucket=false", "-master.telemetry=false"]
        command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=64", "-master.volumeSizeLimitMB=64"]
        for name, (port, grpc_port) in self._ports.items():
            command += [f"-{name}.port={port}", f"-{name}.port.grpc={grpc_port}"]
        return [*command, f"-filer.localSocket={self._folder}/f", f"-s3.localSocket={self._folder}/s"]

    @staticmethod
    def _answers(url: str, method: str = "GET") -> bool:
        request = urllib.request.Request(url, method=method)  # noqa: S310 - it is ours
        try:
            with urllib.request.urlopen(request, timeout=2) as answer:  # noqa: S310 - it is ours
                return bool(answer.status < 300)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


def _free_ports() -> Iterator[int]:
    """Ports on which no process listens: weed cannot choose free ports itself.

    They are below Linux's ephemeral ports, so that no client takes one before weed's start. Their order is random in
    each process, although all processes that run tests have the same seed.
    """
    for port in random.SystemRandom().sample(_PORT_RANGE, len(_PORT_RANGE)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port


@contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    """A running server, killed at the end."""
    with ExitStack() as stack:
        server = S3Server(folder)
        stack.callback(server.kill)
        server.start()
        yield server
