"""Engines and models, as this library returns them."""

import enum
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from google.type.money_pb2 import Money

from tiro.transcription.v1 import engine_pb2

_NANOS = Decimal(10**9)


class Capability(enum.StrEnum):
    """Something that an engine can do with a model: the contract's `Engine.Capability`."""

    BATCH = "batch"
    """Jobs."""
    LIVE = "live"
    """Live streams."""
    WORD_TIMESTAMPS = "word_timestamps"
    TRANSLATION = "translation"
    """English from any of its languages."""
    LANGUAGE_DETECTION = "language_detection"
    LANGUAGE_CANDIDATES = "language_candidates"
    """Language detection among named languages."""
    HOTWORDS = "hotwords"
    INITIAL_PROMPT = "initial_prompt"
    TEMPERATURE = "temperature"
    BEAM_SIZE = "beam_size"
    VOICE_ACTIVITY_FILTER = "voice_activity_filter"
    """A filter that can be turned off."""
    REPLACEMENTS = "replacements"
    """Every worker has it, unless one is older than the option."""


_CONTRACT_NAMES = {Capability.WORD_TIMESTAMPS: "WORD_TIME_OFFSETS"}
"""Capabilities that have another name in the contract."""
_CAPABILITIES = {
    engine_pb2.Engine.Capability.Value(f"CAPABILITY_{_CONTRACT_NAMES.get(capability, capability.name)}"): capability
    for capability in Capability
}


@dataclass(frozen=True, slots=True)
class Price:
    """An amount of money, exact."""

    amount: Decimal
    currency: str
    """ISO 4217 code, as in `USD`."""

    @classmethod
    def from_proto(cls, money: Money) -> Self:
        """The price of a message."""
        return cls(money.units + money.nanos / _NANOS, money.currency_code)


@dataclass(frozen=True, slots=True)
class EngineModel:
    """A model of an engine."""

    name: str
    """The value for `model=`."""
    languages: tuple[str, ...]
    """ISO 639 codes, and tags with a region where the model distinguishes it; sorted."""
    capabilities: tuple[Capability, ...]
    """The capabilities. Those that this client does not know are left out."""
    price_per_minute: Price | None
    """The price of a minute of audio. None where the deployment's catalogue has none."""
    worker_count: int
    """The number of live workers that have loaded the model."""
    free_job_slots: int
    """The number of further jobs that these workers can begin now."""
    free_session_slots: int
    """The number of further live streams that these workers can take now."""

    @classmethod
    def from_proto(cls, model: engine_pb2.Engine.Model) -> Self:
        """The model of a message."""
        return cls(
            name=model.name,
            languages=tuple(model.language_codes),
            capabilities=tuple(_CAPABILITIES[item] for item in model.capabilities if item in _CAPABILITIES),
            price_per_minute=Price.from_proto(model.price_per_minute) if model.HasField("price_per_minute") else None,
            worker_count=model.worker_count,
            free_job_slots=model.free_job_slots,
            free_session_slots=model.free_session_slots,
        )


@dataclass(frozen=True, slots=True)
class Engine:
    """A speech engine of the deployment's catalogue, or one that a live worker runs."""

    name: str
    """The value for `engine=`."""
    taken_by_default: bool
    """Whether a request that names no engine gets this one."""
    default_model: str
    """The model of a request that names this engine and no model."""
    models: tuple[EngineModel, ...]
    worker_count: int
    """The number of live workers that run it, with any model."""

    @property
    def is_alive(self) -> bool:
        """Whether a live worker runs it."""
        return self.worker_count > 0

    @classmethod
    def from_proto(cls, engine: engine_pb2.Engine) -> Self:
        """The engine of a message."""
        return cls(
            name=engine.name.removeprefix("engines/"),
            taken_by_default=engine.taken_by_default,
            default_model=engine.default_model,
            models=tuple(EngineModel.from_proto(model) for model in engine.models),
            worker_count=engine.worker_count,
        )
