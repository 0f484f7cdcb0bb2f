"""Finding engines by name."""

import subprocess
import sys

import pytest

from tiro_engines.registry import UnknownEngine, find_engine, installed_engines


def test_lists_what_is_installed() -> None:
    """Both engines that come with Tiro are found through their entry points."""
    assert {"fake", "faster-whisper"} <= set(installed_engines())


def test_an_unknown_engine_is_refused_by_name() -> None:
    """The error says what was asked for and what could be."""
    with pytest.raises(UnknownEngine, match=r"'nobody'.*fake.*faster-whisper") as caught:
        find_engine("nobody")
    assert caught.value.name == "nobody"
    assert caught.value.installed == installed_engines()


@pytest.mark.parametrize("name", ["fake", "faster-whisper"])
def test_nothing_heavy_is_imported_before_loading(name: str) -> None:
    """Finding an engine imports no inference library and no other engine."""
    code = f"import sys; from tiro_engines.registry import find_engine\nfind_engine({name!r})\nprint(*sys.modules)"
    modules = set(
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    )
    other = {"fake": "faster_whisper", "faster-whisper": "fake"}[name]
    assert not modules & {"ctranslate2", "faster_whisper", "onnxruntime", f"tiro_engines.{other}"}
