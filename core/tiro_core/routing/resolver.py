"""Completing and checking the recognition config of a request: engine, model, language, region and options."""

from collections.abc import Iterable

from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.errors import invalid_argument
from tiro_core.routing.availability import ModelAvailability
from tiro_core.routing.language_tags import normalized
from tiro_core.routing.options import require_size
from tiro_core.routing.suitability import NO_OPTIONS, unserved_by_all
from tiro_core.routing.workers import WorkerDirectory
from tiro_engines.catalogue import Catalogue, UnknownEngineError, UnknownModelError
from tiro_engines.interface import Capability


class RecognitionResolver:
    """Fills in the deployment's defaults, and refuses requests that no worker can serve.

    Engines and models are those of the catalogue, and those that only live workers have, as a deployment's own engine.
    """

    def __init__(
        self, catalogue: Catalogue, workers: WorkerDirectory, *, default_engine: str = "", default_model: str = ""
    ) -> None:
        self._catalogue = catalogue
        self._workers = workers
        self._default_engine = default_engine or catalogue.default_engine
        self._default_model = default_model

    def resolve(self, asked: RecognitionConfig, field_path: str) -> RecognitionConfig:
        """The config of a request with engine and model set, and with its language tag normalized.

        Optional word times are left out where no live worker of the model has them.

        Args:
            asked: The config of the request.
            field_path: The path of the config in the request.

        Raises:
            TiroError: INVALID_ARGUMENT; the engine or model is unknown, or no live worker of the model has the
                language, the region and all options, or the replacements are too long. Without a live worker the
                catalogue decides.
        """
        require_size(asked, field_path)
        config = RecognitionConfig()
        config.CopyFrom(asked)
        _set_languages(config, field_path)
        config.engine = asked.engine or self._default_engine
        config.model = asked.model or self._model_of(config.engine, field_path)
        self._require_known(config, field_path)
        model = self._availability(config)
        if config.word_time_offsets_optional and not _has_word_times(model):
            config.enable_word_time_offsets = False
        refusal = unserved_by_all(config, NO_OPTIONS, model, config_path=field_path)
        if refusal is not None:
            raise refusal
        return config

    def require_served(
        self, config: RecognitionConfig, options: TranscriptionOptions, *, config_path: str, options_path: str = ""
    ) -> None:
        """Refuse a request that no single live worker of its model can serve. Without any, the catalogue decides.

        Args:
            config: The config, with engine and model set.
            options: The options of a job.
            config_path: The path of the config in the request.
            options_path: The path of the options in the request.

        Raises:
            TiroError: INVALID_ARGUMENT, with the reason UNSUPPORTED_LANGUAGE, REGION_NOT_ALLOWED or UNSUPPORTED_OPTION.
        """
        refusal = unserved_by_all(
            config, options, self._availability(config), config_path=config_path, options_path=options_path
        )
        if refusal is not None:
            raise refusal

    def _availability(self, config: RecognitionConfig) -> ModelAvailability:
        engine = self._catalogue.engines.get(config.engine)
        known = engine.models.get(config.model) if engine else None
        return ModelAvailability(known, self._workers.offering(config.engine, config.model))

    @property
    def default_engine(self) -> str:
        """The engine of a request that names none."""
        return self._default_engine

    def default_model(self, engine: str, workers: Iterable[WorkerRecord]) -> str:
        """The model of a request that names this engine and no model. Empty where the engine is unknown.

        Args:
            engine: The engine.
            workers: The live workers of the engine.
        """
        if engine == self._default_engine and self._default_model:
            return self._default_model
        if engine in self._catalogue.engines:
            return self._catalogue.engines[engine].default_model
        return next((record.model for record in workers), "")

    def _model_of(self, engine: str, field_path: str) -> str:
        model = self.default_model(engine, (record for record in self._workers.alive() if record.engine == engine))
        if not model:
            raise self._unknown_engine(engine, field_path)
        return model

    def _require_known(self, config: RecognitionConfig, field_path: str) -> None:
        if self._workers.offering(config.engine, config.model):
            return
        try:
            self._catalogue.model(config.engine, config.model)
        except UnknownEngineError as error:
            raise self._unknown_engine(config.engine, field_path) from error
        except UnknownModelError as error:
            raise invalid_argument(
                reasons.ERROR_REASON_UNKNOWN_MODEL,
                f"engine {config.engine!r} has no model {config.model!r}; it has {', '.join(error.known)}",
                field_path=f"{field_path}.model",
                models=",".join(error.known),
            ) from error

    def _unknown_engine(self, engine: str, field_path: str) -> Exception:
        known = tuple(self._catalogue.engines)
        return invalid_argument(
            reasons.ERROR_REASON_UNKNOWN_ENGINE,
            f"there is no engine {engine!r}; there are {', '.join(known)}",
            field_path=f"{field_path}.engine",
            engines=",".join(known),
        )


def _set_languages(config: RecognitionConfig, field_path: str) -> None:
    """Normalize the tags of a config."""
    config.language_code = normalized(config.language_code)
    if config.language_code and config.candidate_language_codes:
        raise invalid_argument(
            reasons.ERROR_REASON_INVALID_REQUEST,
            "a language that is named is not detected: language_code and candidate_language_codes exclude each other",
            field_path=f"{field_path}.candidate_language_codes",
        )
    config.candidate_language_codes[:] = [normalized(tag) or tag for tag in config.candidate_language_codes]


def _has_word_times(model: ModelAvailability) -> bool:
    return any(Capability.CAPABILITY_WORD_TIME_OFFSETS in offer.features for offer in model.offers)
