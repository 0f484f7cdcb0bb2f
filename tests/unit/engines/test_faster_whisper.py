"""Decisions of the faster-whisper engine that need no model."""

from pathlib import Path

import ctranslate2
import pytest

from tiro_engines.errors import SettingsError
from tiro_engines.faster_whisper import loading
from tiro_engines.faster_whisper.generated import Generated, is_hallucinated, is_repetitive
from tiro_engines.faster_whisper.loading import choose_compute_type, choose_device
from tiro_engines.interface import Capabilities, EngineSettings, ModelTooLarge, ModelUnavailable, UnsupportedLanguage
from tiro_engines.models.store import VerifiedModel
from tiro_engines.registry import find_engine


def test_a_configured_device_is_used() -> None:
    """Only `auto` depends on the machine."""
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") == ("cuda" if ctranslate2.get_cuda_device_count() else "cpu")


def test_a_device_that_the_machine_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the setting: the machine, or the name, has to be another one."""
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 0)
    with pytest.raises(SettingsError, match="device: cuda needs an NVIDIA GPU"):
        choose_device("cuda")
    with pytest.raises(SettingsError, match="device: 'tpu'"):
        choose_device("tpu")
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 1)
    assert choose_device("cuda") == "cuda"


def test_the_compute_type_suits_the_device() -> None:
    """`auto` is int8 on a CPU."""
    assert choose_compute_type("auto", "cpu") == "int8"
    assert choose_compute_type("float32", "cpu") == "float32"
    with pytest.raises(SettingsError, match=r"compute_type: cpu supports .*int8.*, not 'int3'"):
        choose_compute_type("int3", "cpu")


@pytest.mark.parametrize(
    "fault",
    [MemoryError(), RuntimeError("std::bad_alloc"), RuntimeError("CUDA failed with error out of memory")],
)
def test_a_model_that_does_not_fit_has_its_own_error(fault: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the library raises without memory is one error; other faults stay what they are."""
    verified = VerifiedModel("huge", Path("nowhere"), "sha256:0")
    monkeypatch.setattr(loading, "_verified", lambda *_: verified)

    def fail(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(loading, "WhisperModel", fail)
    with pytest.raises(ModelTooLarge, match=r"'huge' does not fit the memory"):
        find_engine("faster-whisper").load("huge", EngineSettings(models_dir="nowhere", device="cpu"))
    fault = RuntimeError("another fault")
    with pytest.raises(RuntimeError, match="another fault"):
        find_engine("faster-whisper").load("huge", EngineSettings(models_dir="nowhere", device="cpu"))


def test_a_model_that_is_not_in_the_catalogue_is_refused() -> None:
    """The error has the model's name and the known ones."""
    with pytest.raises(ModelUnavailable, match=r"'enormous'.*tiny\.en"):
        find_engine("faster-whisper").load("enormous", EngineSettings(models_dir="nowhere"))


def generated(text: str, log_probability: float, no_speech_probability: float) -> Generated:
    """The output of a decoder."""
    return Generated([], text, log_probability, no_speech_probability)


def test_unlikely_text_over_silence_is_a_hallucination() -> None:
    """Low probability or probable silence alone is not enough: unusual words and quiet speech have one of them."""
    assert is_hallucinated(generated("Thank you.", -1.2, 0.9))
    assert not is_hallucinated(generated("Thank you.", -0.2, 0.9))
    assert not is_hallucinated(generated("Bayallah", -1.2, 0.3))
    assert is_hallucinated(generated("", 0.0, 0.0))


def test_text_that_repeats_itself_is_repetitive() -> None:
    """A sentence ten times is repetitive; once it is not."""
    sentence = "And a grain of two perhaps is good. "
    assert is_repetitive(generated(sentence * 10, -0.1, 0.0))
    assert not is_repetitive(generated(sentence, -0.1, 0.0))


def test_a_model_of_one_language_requires_none() -> None:
    """With one language a request may name none. With several, an engine without detection requires one."""
    english = Capabilities(frozenset({"en"}), frozenset())
    english.require_language(None)
    english.require_language("en")
    both = Capabilities(frozenset({"en", "es"}), frozenset())
    with pytest.raises(UnsupportedLanguage, match="name one"):
        both.require_language(None)
