"""The resolution of a request's engine, model and options."""

from collections.abc import Iterator

import pytest

from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.recognition_pb2 import RecognitionConfig, Replacement
from tiro_core.errors import TiroError
from tiro_core.messaging.mirror import Mirror
from tiro_core.routing.options import REPLACEMENT_CHARACTERS_MAX
from tiro_core.routing.resolver import RecognitionResolver
from tiro_core.routing.workers import WorkerDirectory
from tiro_engines.catalogue import load_catalogue


class HouseWorkers(Mirror[WorkerRecord]):
    """Live workers of two engines that are not in the catalogue. Those of the second one differ."""

    def written_within(self, seconds: float) -> Iterator[WorkerRecord]:
        """Return all workers."""
        return iter(
            [
                WorkerRecord(engine="house", model="own", language_codes=["en", "fi"]),
                WorkerRecord(engine="unlike", model="own", language_codes=["fi"]),
                WorkerRecord(engine="unlike", model="own", language_codes=["en"], regions=["eu-north-1"]),
            ]
        )


@pytest.fixture
def resolver() -> RecognitionResolver:
    """A deployment with the shipped catalogue, and those workers."""
    return RecognitionResolver(load_catalogue(), WorkerDirectory(HouseWorkers()))


def test_defaults_are_filled_in(resolver: RecognitionResolver) -> None:
    """A request without engine and model gets the default engine and its default model."""
    config = resolver.resolve(RecognitionConfig(hotwords=["Tiro"]), "config")
    assert (config.engine, config.model, list(config.hotwords)) == ("faster-whisper", "base", ["Tiro"])


def test_the_default_model_of_a_deployment() -> None:
    """A deployment's default model applies to its default engine only."""
    resolver = RecognitionResolver(load_catalogue(), WorkerDirectory(Mirror()), default_model="tiny.en")
    assert resolver.resolve(RecognitionConfig(), "config").model == "tiny.en"
    assert resolver.resolve(RecognitionConfig(engine="fake"), "config").model == "markers"


def test_tags_are_normalized(resolver: RecognitionResolver) -> None:
    """Tags get the usual letter case. `auto` is none."""
    asked = RecognitionConfig(model="base", language_code="AUTO", candidate_language_codes=["EN_us", "zh-hans"])
    config = resolver.resolve(asked, "config")
    assert (config.language_code, list(config.candidate_language_codes)) == ("", ["en-US", "zh-Hans"])


def test_an_engine_of_a_live_worker_is_known(resolver: RecognitionResolver) -> None:
    """An engine that is not in the catalogue is known from its live workers, with their languages."""
    assert resolver.resolve(RecognitionConfig(engine="house", language_code="fi"), "config").model == "own"


@pytest.mark.parametrize(
    ("config", "reason", "field"),
    [
        (RecognitionConfig(engine="none"), reasons.ERROR_REASON_UNKNOWN_ENGINE, "config.engine"),
        (RecognitionConfig(engine="none", model="x"), reasons.ERROR_REASON_UNKNOWN_ENGINE, "config.engine"),
        (RecognitionConfig(model="none"), reasons.ERROR_REASON_UNKNOWN_MODEL, "config.model"),
        (
            RecognitionConfig(model="tiny.en", language_code="es"),
            reasons.ERROR_REASON_UNSUPPORTED_LANGUAGE,
            "config.language_code",
        ),
        (
            RecognitionConfig(engine="house", language_code="sv"),
            reasons.ERROR_REASON_UNSUPPORTED_LANGUAGE,
            "config.language_code",
        ),
        (
            RecognitionConfig(model="base", candidate_language_codes=["en", "xx"]),
            reasons.ERROR_REASON_UNSUPPORTED_LANGUAGE,
            "config.candidate_language_codes",
        ),
        (
            RecognitionConfig(model="base", candidate_language_codes=["en", "auto"]),
            reasons.ERROR_REASON_UNSUPPORTED_LANGUAGE,
            "config.candidate_language_codes",
        ),
        (
            RecognitionConfig(model="base", language_code="en", candidate_language_codes=["en", "de"]),
            reasons.ERROR_REASON_INVALID_REQUEST,
            "config.candidate_language_codes",
        ),
        (
            RecognitionConfig(model="tiny.en", candidate_language_codes=["en"]),
            reasons.ERROR_REASON_UNSUPPORTED_OPTION,
            "config.candidate_language_codes",
        ),
        (
            RecognitionConfig(engine="amazon-transcribe"),
            reasons.ERROR_REASON_UNSUPPORTED_LANGUAGE,
            "config.language_code",
        ),
    ],
)
def test_an_invalid_request_is_refused_with_reason_and_field(
    resolver: RecognitionResolver, config: RecognitionConfig, reason: "reasons.ErrorReason.ValueType", field: str
) -> None:
    """Each refusal has its reason and names the field."""
    with pytest.raises(TiroError) as caught:
        resolver.resolve(config, "config")
    assert caught.value.reason == reason
    assert caught.value.violations[0].field == field


def test_one_worker_must_serve_all_of_a_request(resolver: RecognitionResolver) -> None:
    """A request that only two workers together could serve is refused."""
    resolver.resolve(RecognitionConfig(engine="unlike", language_code="fi"), "config")
    resolver.resolve(RecognitionConfig(engine="unlike", language_code="en", region="eu-north-1"), "config")
    with pytest.raises(TiroError, match="no live worker of model 'own' can do all of this") as caught:
        resolver.resolve(RecognitionConfig(engine="unlike", language_code="fi", region="eu-north-1"), "config")
    assert caught.value.violations[0].field == "config"


def test_replacements_that_are_too_long_together(resolver: RecognitionResolver) -> None:
    """Replacements have a limit of characters: each renewal of a session's lease writes them."""
    pairs = [Replacement(find=f"{number:064}", replace="x" * 64) for number in range(REPLACEMENT_CHARACTERS_MAX // 128)]
    assert len(resolver.resolve(RecognitionConfig(replacements=pairs), "config").replacements) == len(pairs)
    with pytest.raises(TiroError, match="characters together") as refused:
        resolver.resolve(RecognitionConfig(replacements=[*pairs, Replacement(find="a", replace="b")]), "config")
    assert refused.value.reason == reasons.ERROR_REASON_INVALID_REQUEST
    assert [violation.field for violation in refused.value.violations] == ["config.replacements"]
