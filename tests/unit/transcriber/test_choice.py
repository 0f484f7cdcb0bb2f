"""The engine and the models of a worker, by its settings."""

import pytest

from tiro_core.startup import CannotStart
from tiro_transcriber.engine.choice import EngineChoice, choose_engine
from tiro_transcriber.settings import TranscriberSettings

GB = 10**9


def choice(**settings: object) -> EngineChoice:
    """The choice for these settings."""
    return choose_engine(TranscriberSettings.model_validate(settings))


def test_one_model_by_default() -> None:
    """The catalogue's default, and nothing on demand."""
    chosen = choice()
    assert (chosen.engine, chosen.model, list(chosen.on_demand)) == ("faster-whisper", "base", [])


def test_further_models() -> None:
    """Those of the allow-list, in its order, without the first model and without repetitions."""
    chosen = choice(model="tiny.en", models="small, base,tiny.en,small", models_memory_bytes=4 * GB)
    assert [model.name for model in chosen.on_demand] == ["small", "base"]


def test_all_models_that_fit() -> None:
    """`all` leaves out what does not fit the memory."""
    chosen = choice(models="all", models_memory_bytes=2 * GB)
    assert [model.name for model in chosen.on_demand] == ["tiny.en", "small"]


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"models": "huge"}, "unknown model 'huge'"),
        ({"models": "base,large-v3", "models_memory_bytes": 2 * GB}, r"'large-v3' takes about 6\.4 GB of memory"),
        ({"engine": "none"}, "no engine 'none'"),
        ({"model": "none"}, "unknown model 'none'"),
    ],
)
def test_what_cannot_work_is_refused(settings: dict[str, object], why: str) -> None:
    """A model that is not known, or does not fit the memory, is found when the worker starts."""
    with pytest.raises(CannotStart, match=why):
        choice(**settings)
