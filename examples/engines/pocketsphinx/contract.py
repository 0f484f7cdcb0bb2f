"""The subject of the contract tests: `make test-example-engine`."""

from tests.contract.engines.subject import Subject, dictation
from tiro_engines.interface import EngineSettings
from tiro_engines.registry import find_engine

ERROR_RATE_MAX = 0.25
"""On `samples/dictation.wav`, where 6 of 27 words are wrong: 0.22."""


def subject() -> Subject:
    """The engine, with speech for it."""
    return dictation(find_engine("pocketsphinx").load("", EngineSettings(models_dir="")), ERROR_RATE_MAX)
