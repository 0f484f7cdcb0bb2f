"""What a request asks to recognize with, checked at the door: engine, model, and a language that the model knows."""

from collections.abc import Iterable

from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.engine_pb2 import Engine
from tiro_core.errors import invalid_argument
from tiro_core.routing.availability import Capability, ModelAvailability
from tiro_core.routing.options import check_recognition_options, check_region
from tiro_core.routing.workers import WorkerDirectory
from tiro_engines.catalogue import Catalogue, UnknownEngineError, UnknownModelError


class RecognitionResolver:
    """Fills in the deployment's defaults and refuses what cannot be.

    Known is what the catalogue has, and what a live worker offers beyond it: an engine of the deployment's own.
    """

    def __init__(
        self, catalogue: Catalogue, workers: WorkerDirectory, *, default_engine: str = "", default_model: str = ""
    ) -> None:
        self._catalogue = catalogue
        self._workers = workers
        self._default_engine = default_engine or catalogue.default_engine
        self._default_model = default_model

    def resolve(self, asked: RecognitionConfig, field_path: str) -> RecognitionConfig:
        """The same config with engine and model set.

        Args:
            asked: What the request says.
            field_path: Where in the request that stands, for error messages.

        Raises:
            TiroError: INVALID_ARGUMENT; the engine or model is unknown, or the model does not know the language, lacks
                what an option asks for, or is not allowed the region.
        """
        config = RecognitionConfig()
        config.CopyFrom(asked)
        config.engine = asked.engine or self._default_engine
        offers = [record for record in self._workers.alive() if record.engine == config.engine]
        config.model = asked.model or self._model_of(config.engine, offers, field_path)
        languages = self._languages(config, offers, field_path)
        if config.language_code and config.language_code not in languages:
            raise invalid_argument(
                reasons.ERROR_REASON_UNSUPPORTED_LANGUAGE,
                f"model {config.model!r} does not know the language {config.language_code!r}",
                field_path=f"{field_path}.language_code",
                languages=",".join(sorted(languages)),
            )
        if not config.language_code and Engine.CAPABILITY_LANGUAGE_DETECTION not in self.capabilities(config):
            self._require_one(config, languages, field_path)
        self._check_options(config, field_path)
        return config

    def _check_options(self, config: RecognitionConfig, field_path: str) -> None:
        offer = self._offer(config)
        check_recognition_options(config, offer.capabilities, field_path)
        check_region(config, offer.regions, field_path)

    @staticmethod
    def _require_one(config: RecognitionConfig, languages: frozenset[str], field_path: str) -> None:
        """Refuse to guess among several languages."""
        if len(languages) > 1:
            raise invalid_argument(
                reasons.ERROR_REASON_UNSUPPORTED_LANGUAGE,
                f"model {config.model!r} does not detect languages: name the one that is spoken",
                field_path=f"{field_path}.language_code",
                languages=",".join(sorted(languages)),
            )

    def capabilities(self, config: RecognitionConfig) -> frozenset[Capability]:
        """What can be done with a resolved config's model."""
        return self._offer(config).capabilities

    def _offer(self, config: RecognitionConfig) -> ModelAvailability:
        engine = self._catalogue.engines.get(config.engine)
        known = engine.models.get(config.model) if engine else None
        return ModelAvailability(known, self._workers.offering(config.engine, config.model))

    @property
    def default_engine(self) -> str:
        """The engine of a request that names none."""
        return self._default_engine

    def default_model(self, engine: str, offers: Iterable[WorkerRecord]) -> str:
        """The model of a request that names this engine and no model. Empty where nobody knows the engine.

        Args:
            engine: The engine.
            offers: Its live workers.
        """
        if engine == self._default_engine and self._default_model:
            return self._default_model
        if engine in self._catalogue.engines:
            return self._catalogue.engines[engine].default_model
        return next((record.model for record in offers), "")

    def _model_of(self, engine: str, offers: Iterable[WorkerRecord], field_path: str) -> str:
        model = self.default_model(engine, offers)
        if not model:
            raise self._unknown_engine(engine, field_path, tuple(self._catalogue.engines))
        return model

    def _languages(self, config: RecognitionConfig, offers: Iterable[WorkerRecord], field_path: str) -> frozenset[str]:
        loaded = [record for record in offers if record.model == config.model]
        if loaded:
            return ModelAvailability(None, loaded).languages
        try:
            return self._catalogue.model(config.engine, config.model).languages
        except UnknownEngineError as error:
            raise self._unknown_engine(config.engine, field_path, error.known) from error
        except UnknownModelError as error:
            raise invalid_argument(
                reasons.ERROR_REASON_UNKNOWN_MODEL,
                f"engine {config.engine!r} has no model {config.model!r}; it has {', '.join(error.known)}",
                field_path=f"{field_path}.model",
                models=",".join(error.known),
            ) from error

    def _unknown_engine(self, engine: str, field_path: str, known: tuple[str, ...]) -> Exception:
        return invalid_argument(
            reasons.ERROR_REASON_UNKNOWN_ENGINE,
            f"there is no engine {engine!r}; there is {', '.join(known)}",
            field_path=f"{field_path}.engine",
            engines=",".join(known),
        )
