"""All of Tiro as real processes, with the real tiny.en or the fake engine."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deploy.local.stack import MODELS
from tests.support.stack import Stack, running_stack
from tiro_client import AsyncClient

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """Where tiny.en is kept. The first start of a transcriber fetches it."""
    return MODELS


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Stack]:
    """Tiro with tiny.en."""
    settings = {
        "TIRO_MODEL": "tiny.en",
        "TIRO_DEFAULT_MODEL": "tiny.en",
        "TIRO_MODELS_DIR": str(models_dir),
        "TIRO_DEVICE": "cpu",
    }
    with running_stack(tmp_path_factory.mktemp("stack"), settings) as running:
        yield running


@pytest.fixture
def fake_stack(tmp_path: Path) -> Iterator[Stack]:
    """Tiro with the fake engine, for a test that kills its processes."""
    settings = {"TIRO_ENGINE": "fake", "TIRO_DEFAULT_ENGINE": "fake"}
    with running_stack(tmp_path, settings) as running:
        yield running


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[AsyncClient]:
    """A client of it."""
    async with AsyncClient(stack.address, streaming_address=stack.streaming_address) as client:
        yield client
