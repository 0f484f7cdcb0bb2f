"""An account at the server, as the engine finds it: by its environment."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.transcribe_service.server import REGION, TranscribeServer, running_transcribe

OTHER_REGION = "eu-central-1"
"""One that the engine is allowed. The server is not in it, and refuses what is signed for it."""


def engine_environment(server: TranscribeServer) -> dict[str, str]:
    """What a process is told so that its engine speaks to the server, and as fast as it can."""
    return {
        **server.environment,
        "TIRO_AMAZON_ENDPOINT": server.url,
        "TIRO_AMAZON_REGION": REGION,
        "TIRO_AMAZON_REGIONS": OTHER_REGION,
        "TIRO_AMAZON_PACE": "100",
    }


@contextmanager
def amazon_account() -> Iterator[TranscribeServer]:
    """A server, and this process's environment set so that its engine speaks to it."""
    with tempfile.TemporaryDirectory() as folder, running_transcribe(Path(folder)) as server:
        told = engine_environment(server)
        before = {name: os.environ.get(name) for name in told}
        os.environ.update(told)
        try:
            yield server
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
