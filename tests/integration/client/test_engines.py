"""Lists of engines over a real connection."""

from dataclasses import FrozenInstanceError
from decimal import Decimal

import pytest
from google.type.money_pb2 import Money

from tests.integration.client.servers import AWAY, Deployment
from tiro.transcription.v1 import engine_pb2
from tiro_client import AsyncClient, Capability, Engine, EngineModel, Price

LATER = 99
"""A capability that this client does not know."""


async def test_engines_as_objects(client: AsyncClient, deployment: Deployment) -> None:
    """All fields of a message are converted, with names that other calls accept."""
    message = engine_pb2.Engine.Model(
        name="large",
        language_codes=["en", "fi"],
        capabilities=[engine_pb2.Engine.CAPABILITY_LIVE, engine_pb2.Engine.CAPABILITY_WORD_TIME_OFFSETS],
        price_per_minute=Money(currency_code="USD", units=1, nanos=24_000_000),
        worker_count=2,
        free_job_slots=3,
        free_session_slots=4,
    )
    deployment.engines.engines = [
        engine_pb2.Engine(
            name="engines/house", taken_by_default=True, default_model="large", models=[message], worker_count=2
        )
    ]
    model = EngineModel(
        name="large",
        languages=("en", "fi"),
        capabilities=(Capability.LIVE, Capability.WORD_TIMESTAMPS),
        price_per_minute=Price(Decimal("1.024"), "USD"),
        worker_count=2,
        free_job_slots=3,
        free_session_slots=4,
    )
    [engine] = await client.list_engines()
    assert engine == Engine("house", taken_by_default=True, default_model="large", models=(model,), worker_count=2)
    assert engine.is_alive
    with pytest.raises(FrozenInstanceError):
        engine.worker_count = 0  # type: ignore[misc] # the assignment is under test


async def test_missing_prices_and_unknown_capabilities(client: AsyncClient, deployment: Deployment) -> None:
    """A missing price is None, and a price of 0 is 0. Unknown capabilities of a later service are left out."""
    free = engine_pb2.Engine.Model(name="free", price_per_minute=Money(currency_code="EUR"))
    bare = engine_pb2.Engine.Model(name="bare")
    bare.capabilities.append(LATER)  # type: ignore[arg-type] # the generated types know only what is there now
    deployment.engines.engines = [engine_pb2.Engine(name="engines/house", models=[bare, free])]
    [engine] = await client.list_engines()
    assert not engine.is_alive
    assert [model.price_per_minute for model in engine.models] == [None, Price(Decimal(0), "EUR")]
    assert engine.models[0].capabilities == ()


async def test_all_pages_are_read_and_a_failed_call_is_repeated(client: AsyncClient, deployment: Deployment) -> None:
    """The caller gets all engines, although there are several pages and a transient failure."""
    deployment.engines.engines = [engine_pb2.Engine(name=f"engines/e{number}") for number in range(5)]
    deployment.engines.page_size_max = 2
    deployment.engines.failures = [AWAY]
    assert [engine.name for engine in await client.list_engines()] == ["e0", "e1", "e2", "e3", "e4"]
