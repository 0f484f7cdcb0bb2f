"""The verification of a model's folder, and the record that saves a repeated read."""

import os
from pathlib import Path

import pytest

from tiro_engines.catalogue import Model
from tiro_engines.models.digest import VerifiedFolder

from .conftest import write_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the right files."""
    write_model(tmp_path / "thing")
    return tmp_path / "thing"


def test_right_files_have_no_faults(folder: Path, model: Model) -> None:
    """Files with the catalogue's digests are verified."""
    assert VerifiedFolder(folder, model).faults() == ()


def test_faults_are_listed(folder: Path, model: Model) -> None:
    """A missing file and one of another size are named with their faults."""
    (folder / "config.json").unlink()
    (folder / "model.bin").write_bytes(b"short")
    assert VerifiedFolder(folder, model).faults() == (
        "config.json is missing",
        "model.bin has 5 bytes, the catalogue says 3012000",
    )


def test_all_files_of_an_empty_folder_are_missing(tmp_path: Path, model: Model) -> None:
    """A folder without files and without a record has all files missing."""
    (tmp_path / "thing").mkdir()
    assert VerifiedFolder(tmp_path / "thing", model).faults() == ("config.json is missing", "model.bin is missing")


def test_a_file_that_is_removed_later_is_missing(folder: Path, model: Model) -> None:
    """A file that was verified and then removed is missing."""
    assert VerifiedFolder(folder, model).faults() == ()
    (folder / "model.bin").unlink()
    assert VerifiedFolder(folder, model).faults() == ("model.bin is missing",)


def test_a_changed_file_is_read_again(folder: Path, model: Model) -> None:
    """A verified file that changes is found by its digest, even if its size is the same."""
    assert VerifiedFolder(folder, model).faults() == ()
    with (folder / "model.bin").open("rb+") as stream:
        stream.write(b"\xff")
    os.utime(folder / "model.bin", ns=(0, 0))
    (fault,) = VerifiedFolder(folder, model).faults()
    assert "model.bin has SHA-256" in fault


def test_an_unchanged_file_is_not_read_again(folder: Path, model: Model) -> None:
    """Files with the recorded sizes and times are not hashed again: a load would read gigabytes."""
    assert VerifiedFolder(folder, model).faults() == ()
    before = (folder / "model.bin").stat()
    with (folder / "model.bin").open("rb+") as stream:
        stream.write(b"\xff")
    os.utime(folder / "model.bin", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert VerifiedFolder(folder, model).faults() == ()


def test_a_broken_record_is_ignored(folder: Path, model: Model) -> None:
    """With a truncated record all files are hashed."""
    (folder.parent / "thing.verified.json").write_text('{"model.bin": [')
    assert VerifiedFolder(folder, model).faults() == ()


def test_a_record_that_cannot_be_written_is_not_needed(folder: Path, model: Model) -> None:
    """Files are verified although the record cannot be written."""
    (folder.parent / "thing.verified.json").mkdir()
    assert VerifiedFolder(folder, model).faults() == ()
