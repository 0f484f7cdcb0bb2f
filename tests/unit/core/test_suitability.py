"""Whether a worker, or the workers of a model, can serve a request."""

from collections.abc import Collection

import pytest

from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.recognition_pb2 import RecognitionConfig, Replacement
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.errors import TiroError
from tiro_core.routing.availability import ModelAvailability, Offer
from tiro_core.routing.options import REQUIREMENTS
from tiro_core.routing.suitability import NO_OPTIONS, serving, unserved, unserved_by_all
from tiro_engines.interface import Capability, Feature

ALL_FEATURES = frozenset(requirement.capability for requirement in REQUIREMENTS.values())
HOTWORDS, DETECTION = Capability.CAPABILITY_HOTWORDS, Capability.CAPABILITY_LANGUAGE_DETECTION


def offer(languages: Collection[str] = ("en",), *features: Feature, regions: Collection[str] = ()) -> Offer:
    """The offer of a worker."""
    return Offer(frozenset(languages), frozenset(features), frozenset(regions))


def refusal(
    config: RecognitionConfig, one: Offer, options: TranscriptionOptions = NO_OPTIONS, whole: Offer | None = None
) -> TiroError:
    """The error of an offer that does not serve a request. `whole` is the offer of all workers; default: this one."""
    error = unserved(config, options, one, whole or one)
    assert error is not None
    return error


def worker(languages: Collection[str], *features: Feature, regions: Collection[str] = ()) -> WorkerRecord:
    """A live worker."""
    return WorkerRecord(language_codes=languages, capabilities=features, regions=regions)


@pytest.mark.parametrize(
    ("config", "options", "field"),
    [
        (RecognitionConfig(hotwords=["Tiro"]), NO_OPTIONS, "config.hotwords"),
        (RecognitionConfig(enable_word_time_offsets=True), NO_OPTIONS, "config.enable_word_time_offsets"),
        (
            RecognitionConfig(replacements=[Replacement(find="tyro", replace="Tiro")]),
            NO_OPTIONS,
            "config.replacements",
        ),
        (RecognitionConfig(), TranscriptionOptions(translate_to_english=True), "options.translate_to_english"),
        (RecognitionConfig(), TranscriptionOptions(initial_prompt="Cicero"), "options.initial_prompt"),
        (RecognitionConfig(), TranscriptionOptions(temperature=0.0), "options.temperature"),
        (RecognitionConfig(), TranscriptionOptions(beam_size=1), "options.beam_size"),
        (
            RecognitionConfig(),
            TranscriptionOptions(disable_voice_activity_filter=True),
            "options.disable_voice_activity_filter",
        ),
    ],
)
def test_an_option_without_its_capability_is_refused(
    config: RecognitionConfig, options: TranscriptionOptions, field: str
) -> None:
    """The error names the option and the model. With the capability the request is served."""
    config.model = "m"
    error = refusal(config, offer(), options)
    assert error.reason == reasons.ERROR_REASON_UNSUPPORTED_OPTION
    assert [violation.field for violation in error.violations] == [field]
    assert "'m'" in error.message
    able = offer(["en"], *ALL_FEATURES)
    assert unserved(config, options, able, able) is None


def test_every_option_of_the_table_is_a_field() -> None:
    """Each name in REQUIREMENTS is a field of the contract."""
    fields = {*RecognitionConfig.DESCRIPTOR.fields_by_name, *TranscriptionOptions.DESCRIPTOR.fields_by_name}
    assert REQUIREMENTS.keys() <= fields


def test_an_unset_option_needs_no_capability() -> None:
    """An option that is set to its default needs no capability."""
    config = RecognitionConfig(hotwords=[], enable_word_time_offsets=False, region="")
    options = TranscriptionOptions(initial_prompt="", beam_size=0, disable_voice_activity_filter=False)
    assert unserved(config, options, offer(), offer()) is None


def test_optional_word_times_are_never_refused() -> None:
    """A request for optional word times is served by a model without them."""
    wish = RecognitionConfig(enable_word_time_offsets=True, word_time_offsets_optional=True)
    assert unserved(wish, NO_OPTIONS, offer(), offer()) is None


def test_a_region_that_is_not_offered_is_refused() -> None:
    """The error has the offered regions."""
    europe = offer(regions=["eu-west-1", "eu-central-1"])
    assert unserved(RecognitionConfig(region="eu-west-1"), NO_OPTIONS, europe, europe) is None
    error = refusal(RecognitionConfig(region="us-east-1"), europe)
    assert error.reason == reasons.ERROR_REASON_REGION_NOT_ALLOWED
    assert error.metadata == {"regions": "eu-central-1,eu-west-1"}
    assert [violation.field for violation in error.violations] == ["config.region"]


def test_a_language_that_is_not_offered_is_refused() -> None:
    """The error has the offered languages."""
    error = refusal(RecognitionConfig(language_code="fi"), offer(["en", "de"]))
    assert error.reason == reasons.ERROR_REASON_UNSUPPORTED_LANGUAGE
    assert error.metadata == {"languages": "de,en"}


def test_a_request_without_a_language_needs_detection() -> None:
    """Detection is needed if the model has several languages, even if this worker has one."""
    config, english = RecognitionConfig(), offer(["en"])
    assert unserved(config, NO_OPTIONS, english, english) is None
    whole = offer(["en", "de"], DETECTION)
    assert refusal(config, english, whole=whole).reason == reasons.ERROR_REASON_UNSUPPORTED_LANGUAGE
    assert unserved(config, NO_OPTIONS, whole, whole) is None


def test_one_worker_must_serve_all_of_a_request() -> None:
    """Capabilities of two workers are not added up."""
    workers = [worker(["fi"], HOTWORDS), worker(["en"], regions=["eu-west-1"])]
    model = ModelAvailability(None, workers)
    served = RecognitionConfig(language_code="fi", hotwords=["Tiro"])
    assert unserved_by_all(served, NO_OPTIONS, model) is None
    assert serving(workers, served) == [workers[0]]
    split = RecognitionConfig(language_code="en", hotwords=["Tiro"])
    error = unserved_by_all(split, NO_OPTIONS, model)
    assert error is not None
    assert error.reason == reasons.ERROR_REASON_UNSUPPORTED_OPTION
    assert "takes no hotwords" in error.message
    assert "does not know the language 'en'" in error.message
    assert serving(workers, split) == []


def test_one_older_worker_of_the_model_refuses_replacements() -> None:
    """An older worker could take the request from the queue and ignore its replacements."""
    config = RecognitionConfig(model="m", replacements=[Replacement(find="tyro", replace="Tiro")])
    newer = worker(["en"], Capability.CAPABILITY_REPLACEMENTS)
    assert unserved_by_all(config, NO_OPTIONS, ModelAvailability(None, [newer])) is None
    error = unserved_by_all(config, NO_OPTIONS, ModelAvailability(None, [newer, worker(["en"])]))
    assert error is not None
    assert error.reason == reasons.ERROR_REASON_UNSUPPORTED_OPTION
    assert [violation.field for violation in error.violations] == ["config.replacements"]
    assert "older" in error.message
