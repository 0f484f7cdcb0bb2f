"""Checking the files of a model against the catalogue."""

import hashlib
import json
import logging
from pathlib import Path

from tiro_engines.catalogue import Model, ModelFile

_log = logging.getLogger(__name__)

_Stamp = list[object]
"""A file whose digest was right: size in bytes, modification time in nanoseconds, SHA-256."""


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file: 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fault_in(path: Path, file: ModelFile) -> str:
    """The fault of a file, which is read completely; empty when it is the file of the catalogue."""
    if not path.is_file():
        return f"{file.name} is missing"
    size_bytes = path.stat().st_size
    if size_bytes != file.size_bytes:
        return f"{file.name} has {size_bytes} bytes, the catalogue says {file.size_bytes}"
    found = sha256_of(path)
    return "" if found == file.sha256 else f"{file.name} has SHA-256 {found}, the catalogue says {file.sha256}"


class VerifiedFolder:
    """A folder of weights, with a record beside it of the files that were verified.

    Hashing large-v3 would take seconds at every start, so a file whose size and time have not changed since it was
    verified is not read again. The record protects against damage and mix-ups, not against an attacker who may write to
    the folder and so to the record as well.
    """

    def __init__(self, folder: Path, model: Model) -> None:
        self._folder = folder
        self._model = model
        self._record_path = folder.with_name(f"{folder.name}.verified.json")

    def faults(self) -> tuple[str, ...]:
        """The faults of the folder; empty when every file is the one of the catalogue."""
        if not self._folder.is_dir():
            return (f"{self._folder} does not exist",)
        record = self._read_record()
        stamps = {file.name: self._stamp(file) for file in self._model.files}
        unchanged = {name for name, stamp in stamps.items() if stamp is not None and stamp == record.get(name)}
        if len(unchanged) == len(self._model.files):
            return ()
        checked = [fault_in(self._folder / file.name, file) for file in self._model.files if file.name not in unchanged]
        faults = tuple(fault for fault in checked if fault)
        if not faults:
            self.record()
        return faults

    def record(self) -> None:
        """Write the record: every file has just been verified."""
        text = json.dumps({file.name: self._stamp(file) for file in self._model.files}, indent=2)
        try:
            self._record_path.write_text(text, encoding="utf-8")
        except OSError as error:
            _log.info("cannot record that weights are verified, they are hashed at every start: %s", error)

    def _read_record(self) -> dict[str, _Stamp]:
        try:
            record = json.loads(self._record_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # no record, or one whose writing was interrupted: every file is hashed again
            return {}
        return record if isinstance(record, dict) else {}

    def _stamp(self, file: ModelFile) -> _Stamp | None:
        try:
            status = (self._folder / file.name).stat()
        except OSError:  # missing or not readable: the check that follows says so
            return None
        return [status.st_size, status.st_mtime_ns, file.sha256]
