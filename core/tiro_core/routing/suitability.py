"""Whether a worker can serve a request: checked when the request is made, and by each worker before it claims it.

Workers of one model may differ in languages, capabilities and regions. A request is accepted when one of them can serve
all of it.
"""

from collections.abc import Sequence

from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.errors import TiroError, invalid_argument
from tiro_core.routing.availability import ModelAvailability, Offer, offer_of
from tiro_core.routing.language_tags import closest_language, suggestion
from tiro_core.routing.options import unsupported_option
from tiro_engines.interface import Capability

NO_OPTIONS = TranscriptionOptions()
"""The options of a live session: all unset."""


def unserved(
    config: RecognitionConfig,
    options: TranscriptionOptions,
    offer: Offer,
    whole: Offer,
    *,
    config_path: str = "config",
    options_path: str = "options",
) -> TiroError | None:
    """Why an offer does not serve a request. None where it does.

    A request without a language needs language detection where the model as a whole has several languages. Optional
    word times are never refused.

    Args:
        config: The config, with engine and model set.
        options: The options of a job, `NO_OPTIONS` for a live session.
        offer: The offer of a worker.
        whole: The union of the offers of the model's workers.
        config_path: The path of the config in the request.
        options_path: The path of the options in the request.

    Returns:
        INVALID_ARGUMENT, with the reason UNSUPPORTED_LANGUAGE, REGION_NOT_ALLOWED or UNSUPPORTED_OPTION.
    """
    return (
        _unsupported_language(config, offer, f"{config_path}.language_code")
        or _unsupported_candidate(config, offer, f"{config_path}.candidate_language_codes")
        or _undetected_language(config, offer, whole, f"{config_path}.language_code")
        or _region_not_allowed(config, offer, f"{config_path}.region")
        or unsupported_option(_needed(config), offer.features, model=config.model, path=config_path)
        or unsupported_option(options, offer.features, model=config.model, path=options_path)
    )


def unserved_by_all(
    config: RecognitionConfig,
    options: TranscriptionOptions,
    model: ModelAvailability,
    *,
    config_path: str = "config",
    options_path: str = "options",
) -> TiroError | None:
    """Why no single offer of a model serves a request. None where one does. For the arguments see `unserved`."""
    offers = model.offers
    whole = model.union(offers)

    def refusal(offer: Offer) -> TiroError | None:
        return unserved(config, options, offer, whole, config_path=config_path, options_path=options_path)

    if (together := refusal(whole)) is not None:
        return together
    if len(offers) == 1:  # it is the whole
        return None
    lacking: set[str] = set()
    for offer in offers:
        if (alone := refusal(offer)) is None:
            return None
        lacking.add(alone.message)
    if not lacking:
        return None
    message = f"no live worker of model {config.model!r} can do all of this: {'; '.join(sorted(lacking))}"
    return invalid_argument(reasons.ERROR_REASON_UNSUPPORTED_OPTION, message, field_path=config_path)


def serving(
    workers: Sequence[WorkerRecord], config: RecognitionConfig, options: TranscriptionOptions = NO_OPTIONS
) -> list[WorkerRecord]:
    """Those of a model's live workers that can serve a request."""
    whole = ModelAvailability(None, workers).whole
    return [worker for worker in workers if unserved(config, options, offer_of(worker), whole) is None]


def _needed(config: RecognitionConfig) -> RecognitionConfig:
    """A config without options that are optional."""
    if not config.word_time_offsets_optional:
        return config
    needed = RecognitionConfig()
    needed.CopyFrom(config)
    needed.enable_word_time_offsets = False
    return needed


def _unsupported_language(config: RecognitionConfig, offer: Offer, field_path: str) -> TiroError | None:
    asked = config.language_code
    if not asked or closest_language(asked, offer.languages):
        return None
    return _language_refused(_unknown_language(config.model, asked, offer), offer, field_path)


def _unsupported_candidate(config: RecognitionConfig, offer: Offer, field_path: str) -> TiroError | None:
    for asked in config.candidate_language_codes:
        if not closest_language(asked, offer.languages):
            return _language_refused(_unknown_language(config.model, asked, offer), offer, field_path)
    return None


def _undetected_language(config: RecognitionConfig, offer: Offer, whole: Offer, field_path: str) -> TiroError | None:
    if config.language_code or len(whole.languages) == 1:
        return None
    if Capability.CAPABILITY_LANGUAGE_DETECTION in offer.features:
        return None
    message = f"model {config.model!r} does not detect languages: name the one that is spoken"
    return _language_refused(message, offer, field_path)


def _unknown_language(model: str, asked: str, offer: Offer) -> str:
    meant = suggestion(asked, offer.languages)
    guess = f"; was {meant!r} meant?" if meant else "."
    known = ", ".join(sorted(offer.languages))
    return f"model {model!r} does not know the language {asked!r}{guess} It knows {known}."


def _language_refused(message: str, offer: Offer, field_path: str) -> TiroError:
    return invalid_argument(
        reasons.ERROR_REASON_UNSUPPORTED_LANGUAGE,
        message,
        field_path=field_path,
        languages=",".join(sorted(offer.languages)),
    )


def _region_not_allowed(config: RecognitionConfig, offer: Offer, field_path: str) -> TiroError | None:
    if not config.region or config.region in offer.regions:
        return None
    allowed = sorted(offer.regions)
    return invalid_argument(
        reasons.ERROR_REASON_REGION_NOT_ALLOWED,
        f"no live worker of model {config.model!r} is allowed the region {config.region!r};"
        f" allowed: {', '.join(allowed) or 'none'}",
        field_path=field_path,
        regions=",".join(allowed),
    )
