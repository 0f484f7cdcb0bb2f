"""The registry of engines."""

import subprocess
import sys

import pytest

from tiro_engines.registry import UnknownEngine, find_engine, installed_engines


def test_installed_engines_are_listed() -> None:
    """Engines are found by their entry points."""
    assert {"fake", "faster-whisper"} <= set(installed_engines())


def test_an_unknown_engine_is_refused_by_name() -> None:
    """The error has the requested name and the installed engines."""
    with pytest.raises(UnknownEngine, match=r"'unknown'.*fake.*faster-whisper") as caught:
        find_engine("unknown")
    assert caught.value.name == "unknown"
    assert caught.value.installed == installed_engines()


@pytest.mark.parametrize("name", ["fake", "faster-whisper"])
def test_inference_libraries_are_not_imported_before_the_load(name: str) -> None:
    """Finding an engine imports no inference library and no other engine."""
    code = f"import sys; from tiro_engines.registry import find_engine\nfind_engine({name!r})\nprint(*sys.modules)"
    modules = set(
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    )
    other = {"fake": "faster_whisper", "faster-whisper": "fake"}[name]
    assert not modules & {"ctranslate2", "faster_whisper", "onnxruntime", f"tiro_engines.{other}"}
