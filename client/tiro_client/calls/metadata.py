"""The metadata of every call: the API key, and what the caller adds."""

import re
from collections.abc import Mapping

CallMetadata = tuple[tuple[str, str | bytes], ...]
"""Names and values, as gRPC sends them. Names that end in `-bin` have bytes."""

_NAME = re.compile(r"[0-9a-z_.-]+")
_AUTHORIZATION = "authorization"


def call_metadata(api_key: str | None, extra: Mapping[str, str | bytes]) -> CallMetadata:
    """The metadata of every call.

    Args:
        api_key: The API key, sent as `authorization`.
        extra: Further names and values.

    Raises:
        ValueError: gRPC cannot send a name or a value, or the name is taken.
    """
    for name, value in extra.items():
        _check(name, value)
    if api_key is None:
        return tuple(extra.items())
    if _AUTHORIZATION in extra:
        raise ValueError(f"{_AUTHORIZATION} in the metadata, and an API key, which is sent as {_AUTHORIZATION}")
    return ((_AUTHORIZATION, f"Bearer {api_key}"), *extra.items())


def _check(name: str, value: str | bytes) -> None:
    if not _NAME.fullmatch(name) or name.startswith("grpc-"):
        raise ValueError(
            f"{name!r} is no name of metadata: it has lower-case ASCII letters, digits, '_', '-' and '.', and does not "
            "begin with grpc-"
        )
    if name.endswith("-bin"):
        if not isinstance(value, bytes):
            raise ValueError(f"the value of {name!r} must be bytes, because the name ends in -bin")
    elif not (isinstance(value, str) and value.isascii() and value.isprintable()):
        raise ValueError(f"the value of {name!r} must be printable ASCII text; names that end in -bin have bytes")
