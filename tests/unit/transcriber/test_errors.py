"""What a failure of an attempt means for its job."""

from dataclasses import replace

import pytest

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro_core.blobs.interface import StorageUnavailable
from tiro_core.errors import TiroError
from tiro_engines.interface import EngineSettings
from tiro_engines.registry import find_engine
from tiro_transcriber.errors import explain, reason_of, require_consent


def test_a_store_that_is_away_is_worth_another_attempt() -> None:
    """With a reason of its own, and nothing of the inside in the message."""
    status, again = explain(StorageUnavailable("PUT http://inside:9000 failed"))
    assert again
    assert reason_of(status) == "STORAGE_UNAVAILABLE"
    assert "inside" not in status.message


def test_a_cloud_hears_nothing_that_the_door_has_not_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that runs here needs no consent; one that is a cloud needs it for jobs and sessions alike."""
    here = find_engine("fake").load("markers", EngineSettings(models_dir=""))
    require_consent(here, TranscriptionRecord())
    monkeypatch.setattr(here, "capabilities", replace(here.capabilities, cloud=True))
    for record in (TranscriptionRecord(allowed_clouds=["another"]), SessionRecord()):
        with pytest.raises(TiroError, match="is a cloud") as refused:
            require_consent(here, record)
        status, again = explain(refused.value)
        assert (reason_of(status), again) == ("CLOUD_NOT_ALLOWED", False)
    require_consent(here, TranscriptionRecord(allowed_clouds=["another", "fake"]))
    require_consent(here, SessionRecord(allowed_clouds=["fake"]))
