"""All of Tiro as real processes, with the real tiny.en or the fake engine."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deploy.local.stack import MODELS
from tests.support.nats import NatsServer
from tests.support.stack import Stack, running_stack, service_environment
from tiro_client import AsyncClient

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
FAKE = {"TIRO_ENGINE": "fake", "TIRO_DEFAULT_ENGINE": "fake"}


def environment(nats: NatsServer, **settings: str) -> dict[str, str]:
    """Environment of any service, each on a free port, with the fake engine."""
    return {**service_environment(nats), "TIRO_ENGINE": "fake", **settings}


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Tiro with tiny.en, for tests of the group "tiny.en stack". They may not stop its processes."""
    settings = {
        "TIRO_MODEL": "tiny.en",
        "TIRO_DEFAULT_MODEL": "tiny.en",
        "TIRO_MODELS_DIR": str(MODELS),  # The first start of a transcriber fetches it.
        "TIRO_DEVICE": "cpu",
    }
    with running_stack(tmp_path_factory.mktemp("stack"), settings) as running:
        yield running


@pytest.fixture(scope="session")
def shared_fake_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack that tests get as `fake_stack`."""
    with running_stack(tmp_path_factory.mktemp("fake"), FAKE) as running:
        yield running


@pytest.fixture
def fake_stack(shared_fake_stack: Stack, kept_processes: list[int]) -> Iterator[Stack]:
    """Tiro with the fake engine, for tests of the group "fake stack". Processes that a test ends are restarted."""
    yield shared_fake_stack
    kept_processes += shared_fake_stack.repair()


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[AsyncClient]:
    """A client of the tiny.en stack."""
    async with AsyncClient(stack.address, streaming_address=stack.streaming_address) as client:
        yield client
