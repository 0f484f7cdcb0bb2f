"""The effect of an attempt's failure on its job."""

from dataclasses import replace

import pytest

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro_core.blobs.interface import StorageUnavailable
from tiro_core.errors import TiroError
from tiro_engines.interface import EngineSettings, ModelTooLarge
from tiro_engines.registry import find_engine
from tiro_transcriber.errors import explain, reason_of, require_consent


def test_an_unavailable_store_leads_to_another_attempt() -> None:
    """The status has STORAGE_UNAVAILABLE, and no internal address."""
    status, again = explain(StorageUnavailable("PUT http://inside:9000 failed"))
    assert again
    assert reason_of(status) == "STORAGE_UNAVAILABLE"
    assert "inside" not in status.message


def test_a_model_that_does_not_fit_has_its_own_reason() -> None:
    """Another attempt on this machine would not help."""
    status, again = explain(ModelTooLarge("the model 'huge' takes about 99 GB"))
    assert (reason_of(status), again) == ("MODEL_TOO_LARGE", False)
    assert "99 GB" in status.message


def test_a_cloud_engine_requires_consent_in_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """A local engine needs no consent. A cloud engine refuses jobs and sessions whose record does not allow it."""
    engine = find_engine("fake").load("markers", EngineSettings(models_dir=""))
    require_consent(engine, TranscriptionRecord())
    monkeypatch.setattr(engine, "capabilities", replace(engine.capabilities, cloud=True))
    for record in (TranscriptionRecord(allowed_clouds=["another"]), SessionRecord()):
        with pytest.raises(TiroError, match="is a cloud") as refused:
            require_consent(engine, record)
        status, again = explain(refused.value)
        assert (reason_of(status), again) == ("CLOUD_NOT_ALLOWED", False)
    require_consent(engine, TranscriptionRecord(allowed_clouds=["another", "fake"]))
    require_consent(engine, SessionRecord(allowed_clouds=["fake"]))
