"""An account at the server, which the engine finds by its environment."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.transcribe_service.server import REGION, TranscribeServer, running_transcribe

OTHER_REGION = "eu-central-1"
"""A region that the engine may use. The server is in another one, and refuses requests that are signed for this."""


def engine_environment(server: TranscribeServer) -> dict[str, str]:
    """Environment of a process whose engine uses the server, without waiting for real time."""
    return {
        **server.environment,
        "TIRO_AMAZON_ENDPOINT": server.url,
        "TIRO_AMAZON_REGION": REGION,
        "TIRO_AMAZON_REGIONS": OTHER_REGION,
        "TIRO_AMAZON_PACE": "100",
    }


@contextmanager
def amazon_account() -> Iterator[TranscribeServer]:
    """A server, and the environment of this process set so that its engine uses it."""
    with tempfile.TemporaryDirectory() as folder, running_transcribe(Path(folder)) as server:
        variables = engine_environment(server)
        before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        try:
            yield server
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
