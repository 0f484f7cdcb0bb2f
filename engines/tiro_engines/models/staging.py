"""The folder in which a model is assembled before it is used."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from tiro_engines.catalogue import Model, ModelFile
from tiro_engines.models.digest import fault_in


class WrongBytes(Exception):  # noqa: N818 - reads as the condition it reports
    """A source supplied other bytes than those of the catalogue. They were deleted."""


class Staging:
    """A folder beside the final one. A file gets its name in it only when its digest is right.

    The folder survives an interruption: accepted files are checked again and kept, and the part of a file is continued.
    The store's lock admits one process at a time.
    """

    def __init__(self, folder: Path, model: Model) -> None:
        self.folder = folder
        self._model = model
        self._accepted: set[str] = set()

    def open(self) -> None:
        """Make the folder, or continue with the files of an interrupted attempt."""
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = {self._part(file) for file in self._model.files}
        for file in self._model.files:
            if not fault_in(self.folder / file.name, file):
                self._accepted.add(file.name)
                kept.add(self.folder / file.name)
        for path in set(self.folder.iterdir()) - kept:
            remove(path)

    @property
    def missing(self) -> tuple[ModelFile, ...]:
        """The files not yet accepted."""
        return tuple(file for file in self._model.files if file.name not in self._accepted)

    def received_bytes(self, file: ModelFile) -> int:
        """The number of bytes of a file that have been received."""
        part = self._part(file)
        return part.stat().st_size if part.exists() else 0

    def restart(self, file: ModelFile) -> None:
        """Drop the received bytes of a file."""
        self._part(file).unlink(missing_ok=True)

    def append(self, file: ModelFile, chunks: Iterable[bytes]) -> Iterable[int]:
        """Add bytes to a file's part. Yields the size so far after each chunk.

        Raises:
            WrongBytes: There are more bytes than the file of the catalogue has. The part is deleted.
        """
        received_bytes = self.received_bytes(file)
        with self._part(file).open("ab") as stream:
            for chunk in chunks:
                received_bytes += len(chunk)
                if received_bytes > file.size_bytes:
                    self.restart(file)
                    raise WrongBytes(f"{file.name} has more than {file.size_bytes} bytes")
                stream.write(chunk)
                yield received_bytes

    def accept(self, file: ModelFile) -> None:
        """Check a file that has been received completely, and give it its name.

        Raises:
            WrongBytes: The digest is not that of the catalogue. The part is deleted.
        """
        part = self._part(file)
        fault = fault_in(part, file)
        if fault:
            self.restart(file)
            raise WrongBytes(fault)
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())  # after a power cut the name must not exist without its bytes on the disk
        part.rename(self.folder / file.name)
        self._accepted.add(file.name)

    def close(self) -> None:
        """Delete everything but the accepted files: the folder is ready to be moved into place."""
        for path in set(self.folder.iterdir()) - {self.folder / name for name in self._accepted}:
            remove(path)

    def _part(self, file: ModelFile) -> Path:
        # The digest in its name: a part is never continued with bytes of another revision.
        return self.folder / f"{file.name}.{file.sha256[:8]}.part"


def remove(path: Path) -> None:
    """Delete a file, a link, or a folder with its contents."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
