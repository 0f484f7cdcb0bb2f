"""Loads a Whisper model, on the device and with the compute type that suit the machine."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ctranslate2
from faster_whisper import WhisperModel
from faster_whisper.utils import get_assets_path

from tiro_engines.catalogue import UnknownModelError, load_catalogue
from tiro_engines.errors import SettingsError
from tiro_engines.faster_whisper.engine import FasterWhisperEngine
from tiro_engines.interface import EngineSettings, ModelInfo, ModelTooLarge, ModelUnavailable
from tiro_engines.models.store import ModelStore, VerifiedModel
from tiro_engines.windowed.silero import SileroModel

NAME = "faster-whisper"

COMPUTE_TYPES = {"cpu": ("int8", "float32"), "cuda": ("float16", "int8_float32", "float32")}
"""By device, the best first. A GPU without fast float16 has the others."""

GPU_JOBS = 2
JOBS_MAX = 64

_NO_MEMORY = re.compile(r"out of memory|bad_alloc|cannot allocate memory", re.IGNORECASE)
_SILERO_FILE = "silero_vad_v6.onnx"


def load_engine(model: str, settings: EngineSettings) -> FasterWhisperEngine:
    """Load a model; see `EngineType.load`."""
    verified = _verified(model, settings)
    device = choose_device(settings.device)
    compute_type = choose_compute_type(settings.compute_type, device)
    with _naming_lack_of_memory(verified.name, device):
        whisper = WhisperModel(
            str(verified.path),
            device=device,
            compute_type=compute_type,
            cpu_threads=settings.threads or max(1, (os.cpu_count() or 1) // settings.parallel),
            num_workers=settings.parallel,
        )
    silero = SileroModel(Path(get_assets_path()) / _SILERO_FILE)
    return FasterWhisperEngine(whisper, silero, ModelInfo(NAME, verified.name, verified.digest))


@contextmanager
def _naming_lack_of_memory(model: str, device: str) -> Iterator[None]:
    """Raise what the library raises without memory (`bad_alloc`, CUDA's `out of memory`) as `ModelTooLarge`."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
            raise ModelTooLarge(f"the model {model!r} does not fit the memory ({device}): {error}") from error
        raise


def _verified(model: str, settings: EngineSettings) -> VerifiedModel:
    try:
        catalogue = load_catalogue(settings.catalogue)
        return ModelStore(Path(settings.models_dir), catalogue.engine(NAME)).ensure(model)
    except UnknownModelError as error:
        raise ModelUnavailable(str(error)) from error


def jobs_at_once(device: str) -> int:
    """See `EngineType.jobs_at_once`.

    On a CPU: with tiny.en on two cores, two windows at once, with one thread each, take 50 to 80 % of the time that
    they take one after the other with two threads. On a GPU: one recording is decoded from its container while the
    other is recognized.
    """
    return GPU_JOBS if choose_device(device) == "cuda" else min(JOBS_MAX, os.cpu_count() or 1)


def choose_device(asked: str) -> str:
    """`cpu` or `cuda`: the setting; for `auto` a GPU where there is one.

    Raises:
        SettingsError: There is no such device on this machine.
    """
    gpus = ctranslate2.get_cuda_device_count()
    if asked == "auto":
        return "cuda" if gpus else "cpu"
    if asked not in COMPUTE_TYPES:
        raise SettingsError(f"device: {asked!r} is not one of auto, {', '.join(COMPUTE_TYPES)}")
    if asked == "cuda" and not gpus:
        raise SettingsError("device: cuda needs an NVIDIA GPU and its driver, and none is found on this machine")
    return asked


def choose_compute_type(asked: str, device: str) -> str:
    """A CTranslate2 compute type: the setting; for `auto` the best that the device supports.

    Raises:
        SettingsError: The device does not support the compute type.
    """
    supported = ctranslate2.get_supported_compute_types(device)
    if asked == "auto":
        return next(compute_type for compute_type in COMPUTE_TYPES[device] if compute_type in supported)
    if asked not in {*supported, "default"}:
        raise SettingsError(f"compute_type: {device} supports {', '.join(sorted(supported))}, not {asked!r}")
    return asked
