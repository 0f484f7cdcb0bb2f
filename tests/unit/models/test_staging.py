"""The staging folder of a model: a file gets its name only if its bytes are right."""

from dataclasses import replace
from pathlib import Path

import pytest

from tiro_engines.catalogue import Model
from tiro_engines.models.staging import Staging, WrongBytes

from .conftest import FILES


@pytest.fixture
def staging(tmp_path: Path, model: Model) -> Staging:
    """An empty staging folder."""
    staging = Staging(tmp_path / "thing.partial", model)
    staging.open()
    return staging


def receive(staging: Staging, name: str, *chunks: bytes) -> list[int]:
    """Append chunks to a file, and return the reported sizes."""
    file = next(file for file in staging.missing if file.name == name)
    return list(staging.append(file, chunks))


def test_right_bytes_are_accepted(staging: Staging) -> None:
    """A file with the right bytes gets its name, and is no longer missing."""
    assert receive(staging, "config.json", FILES["config.json"][:5], FILES["config.json"][5:]) == [5, 14]
    staging.accept(staging.missing[0])
    assert [file.name for file in staging.missing] == ["model.bin"]
    assert (staging.folder / "config.json").read_bytes() == FILES["config.json"]


@pytest.mark.parametrize("received", [b"{" * 14, b"{"], ids=["other bytes", "too few"])
def test_wrong_bytes_are_dropped(staging: Staging, received: bytes) -> None:
    """A file with another digest or size gets no name, and its bytes are removed."""
    receive(staging, "config.json", received)
    file = staging.missing[0]
    with pytest.raises(WrongBytes, match=r"config\.json has"):
        staging.accept(file)
    assert staging.received_bytes(file) == 0
    assert not (staging.folder / "config.json").exists()


def test_too_many_bytes_are_refused_at_once(staging: Staging) -> None:
    """Bytes beyond a file's size are refused, so that an endless source cannot fill the disk."""
    with pytest.raises(WrongBytes, match="has more than 14 bytes"):
        receive(staging, "config.json", FILES["config.json"], b"x")
    assert staging.received_bytes(staging.missing[0]) == 0


def test_an_interrupted_attempt_is_continued(staging: Staging, model: Model) -> None:
    """Accepted files are kept, an incomplete one is continued, and other files are removed."""
    receive(staging, "config.json", FILES["config.json"])
    staging.accept(model.files[0])
    receive(staging, "model.bin", b"begun")
    (staging.folder / "wheels").mkdir()
    again = Staging(staging.folder, model)
    again.open()
    assert [file.name for file in again.missing] == ["model.bin"]
    assert again.received_bytes(model.files[1]) == len(b"begun")
    assert not (staging.folder / "wheels").exists()


def test_a_damaged_file_is_not_kept(staging: Staging, model: Model) -> None:
    """After an interruption accepted files are verified again."""
    receive(staging, "config.json", FILES["config.json"])
    staging.accept(model.files[0])
    (staging.folder / "config.json").write_bytes(b"}" * 14)
    again = Staging(staging.folder, model)
    again.open()
    assert len(again.missing) == 2


def test_another_revision_starts_again(staging: Staging, model: Model) -> None:
    """Bytes of another revision are removed."""
    receive(staging, "model.bin", b"begun")
    other = replace(model, files=tuple(replace(file, sha256="b" * 64) for file in model.files))
    again = Staging(staging.folder, other)
    again.open()
    assert again.received_bytes(other.files[1]) == 0
    assert not any(staging.folder.iterdir())
