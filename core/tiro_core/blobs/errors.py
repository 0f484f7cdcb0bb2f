"""The error of a caller while the blob store does not answer."""

from datetime import timedelta

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.errors import TiroError, unavailable

RETRY_AFTER = timedelta(seconds=1)


def storage_unavailable() -> TiroError:
    """UNAVAILABLE, with the reason STORAGE_UNAVAILABLE and a delay. The message names no server."""
    message = "the store of recordings and transcripts does not answer"
    return unavailable(reasons.ERROR_REASON_STORAGE_UNAVAILABLE, message, retry_after=RETRY_AFTER)
