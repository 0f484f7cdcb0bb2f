"""What a failure of an attempt means for its job."""

from tiro_core.blobs.interface import StorageUnavailable
from tiro_transcriber.failures import explain, reason_of


def test_a_store_that_is_away_is_worth_another_attempt() -> None:
    """With a reason of its own, and nothing of the inside in the message."""
    status, again = explain(StorageUnavailable("PUT http://inside:9000 failed"))
    assert again
    assert reason_of(status) == "STORAGE_UNAVAILABLE"
    assert "inside" not in status.message
