"""A server of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.transcribe_service.server import TranscribeServer, running_transcribe


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TranscribeServer]:
    """The server. The SDK finds its authority and its credentials in the environment, as in production."""
    with running_transcribe(tmp_path) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
        yield running
