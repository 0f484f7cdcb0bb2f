"""Choices that the faster-whisper engine makes without a model."""

import ctranslate2
import pytest

from tiro_engines.faster_whisper.generated import Generated, is_hallucinated, is_repetitive
from tiro_engines.faster_whisper.loading import choose_compute_type, choose_device
from tiro_engines.interface import Capabilities, EngineSettings, ModelUnavailable, UnsupportedLanguage
from tiro_engines.registry import find_engine


def test_a_device_that_was_asked_for_is_taken() -> None:
    """Only `auto` looks at the machine."""
    assert choose_device("cpu") == "cpu"
    assert choose_device("cuda") == "cuda"
    assert choose_device("auto") == ("cuda" if ctranslate2.get_cuda_device_count() else "cpu")


def test_the_compute_type_suits_the_device() -> None:
    """A CPU computes in int8 unless told otherwise."""
    assert choose_compute_type("auto", "cpu") == "int8"
    assert choose_compute_type("float32", "cpu") == "float32"


def test_a_model_that_is_not_in_the_catalogue_cannot_be_had() -> None:
    """The error names it and lists those that can be."""
    with pytest.raises(ModelUnavailable, match=r"'enormous'.*tiny\.en"):
        find_engine("faster-whisper").load("enormous", EngineSettings(models_dir="nowhere"))


def generated(text: str, log_probability: float, no_speech_probability: float) -> Generated:
    """Make what a decoder wrote."""
    return Generated([], text, log_probability, no_speech_probability)


def test_text_is_hallucinated_when_it_is_unlikely_and_nothing_was_spoken() -> None:
    """One sign alone is not enough: quiet speech has the one, unusual words the other."""
    assert is_hallucinated(generated("Thank you.", -1.2, 0.9))
    assert not is_hallucinated(generated("Thank you.", -0.2, 0.9))
    assert not is_hallucinated(generated("Bayallah", -1.2, 0.3))
    assert is_hallucinated(generated("", 0.0, 0.0))


def test_text_that_goes_round_in_circles_is_repetitive() -> None:
    """A sentence said ten times over is no speech; an ordinary one is."""
    sentence = "And a grain of two perhaps is good. "
    assert is_repetitive(generated(sentence * 10, -0.1, 0.0))
    assert not is_repetitive(generated(sentence, -0.1, 0.0))


def test_a_model_of_one_language_needs_none_named() -> None:
    """Where there is no choice, nothing is detected; where there is, an engine that cannot choose wants to be told."""
    english = Capabilities(frozenset({"en"}), frozenset())
    english.require_language(None)
    english.require_language("en")
    both = Capabilities(frozenset({"en", "es"}), frozenset())
    with pytest.raises(UnsupportedLanguage, match="name one"):
        both.require_language(None)
