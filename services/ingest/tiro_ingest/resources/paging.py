"""Page tokens: opaque to callers, and valid for one list only."""

import base64
import binascii
import hashlib

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.errors import invalid_argument

_CHECK_BYTES = 8


def page_token(scope: str, position: str) -> str:
    """A token for `position` in the list that `scope` names."""
    return base64.urlsafe_b64encode(_check(scope, position) + position.encode()).decode()


def position_of(token: str, scope: str) -> str:
    """The position of a token.

    Raises:
        TiroError: INVALID_ARGUMENT; the token is not one that this service returned, or belongs to another list.
    """
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
        position = raw[_CHECK_BYTES:].decode()
    except (binascii.Error, ValueError):
        raise _invalid() from None
    # The check catches mistakes, not attacks: every position is one in the caller's own list.
    if raw[:_CHECK_BYTES] != _check(scope, position):
        raise _invalid()
    return position


def _check(scope: str, position: str) -> bytes:
    return hashlib.sha256(f"{scope}\0{position}".encode()).digest()[:_CHECK_BYTES]


def _invalid() -> Exception:
    return invalid_argument(
        reasons.ERROR_REASON_INVALID_PAGE_TOKEN,
        "the page token is not valid, or belongs to another list",
        field_path="page_token",
    )
