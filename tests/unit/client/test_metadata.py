"""The metadata of every call."""

import pytest

from tiro_client import AsyncClient, Client
from tiro_client.calls.metadata import call_metadata


def test_the_key_and_what_the_caller_adds() -> None:
    """The API key is sent as a bearer token, beside the caller's names."""
    extra: dict[str, str | bytes] = {"x-request-id": "7", "trace-bin": b"\0"}
    assert call_metadata(None, extra) == (("x-request-id", "7"), ("trace-bin", b"\0"))
    assert call_metadata("tiro_a", extra)[0] == ("authorization", "Bearer tiro_a")
    assert call_metadata(None, {"authorization": "Basic eDp5"}) == (("authorization", "Basic eDp5"),)


@pytest.mark.parametrize(
    "extra",
    [
        {"X-Request-Id": "7"},
        {"x request": "7"},
        {"": "7"},
        {"grpc-timeout": "7"},
        {"x-name": "J\xfcrgen"},
        {"x-name": "a\nb"},
        {"x-name": b"a"},
        {"x-bin": "a"},
        {"authorization": "Basic eDp5"},
    ],
)
def test_what_cannot_be_sent_is_refused(extra: dict[str, str | bytes]) -> None:
    """When the client is made, by both clients, and not by a failure of each call."""
    for kind in (AsyncClient, Client):
        with pytest.raises(ValueError, match=r"metadata|value of"):
            kind("127.0.0.1:1", api_key="tiro_a", metadata=extra)
