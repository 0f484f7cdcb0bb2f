"""The client of an S3-compatible server: its address and credentials, its time limits, and its errors."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import stamina
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    GenericError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from tiro_core.blobs.interface import StorageRefused, StorageUnavailable
from tiro_core.settings import CoreSettings

T = TypeVar("T")

REQUEST_SECONDS_MAX = 10.0
"""How long one request may take, its body included, before it is tried again."""
CONNECT_SECONDS_MAX = 3.0
RETRY_WAIT_SECONDS_MAX = 2.0
DESCRIPTION_CHARACTERS_MAX = 200

OUTCOMES = (AlreadyExistsError, PreconditionError, FileNotFoundError)
"""The errors that `patiently` passes on: answers to the request, not failures."""

# obstore has one error for most answers of the server; the status and code are in its text only.
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_TRY_AGAIN = (408, 409, 429)
_INSTANCE_METADATA = ("169.254.169.254", "169.254.170.2")
"""Hosts of the machine's metadata, the last source of credentials: an error at one means that there are none."""


def make_client(settings: CoreSettings, bucket: str) -> S3Store:
    """A client for one bucket, with the credentials of the environment. Opens nothing.

    The client itself does not retry: `patiently` does, in the same way for every kind of failure.
    """
    endpoint = settings.s3_endpoint
    return S3Store(
        bucket,
        config={"endpoint": endpoint} if endpoint else {},
        region=settings.s3_region,
        # Amazon's servers have a host name for each bucket and recommend it; other servers seldom have one.
        virtual_hosted_style_request=not endpoint,
        conditional_put="etag",
        client_options={
            "allow_http": endpoint.startswith("http://"),
            "timeout": timedelta(seconds=REQUEST_SECONDS_MAX),
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS_MAX),
        },
        retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=REQUEST_SECONDS_MAX)},
    )


async def patiently(call: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Send the server a request, again and again for `seconds` while it does not answer; once when that is 0.

    Raises:
        AlreadyExistsError, PreconditionError: A condition of a write is not met.
        FileNotFoundError: There is no such object.
        StorageRefused: The server refuses the request.
        StorageUnavailable: The server did not answer in time.
    """
    if not seconds:
        return await _once(call)
    async for attempt in stamina.retry_context(
        on=_may_pass, attempts=None, timeout=seconds, wait_initial=0.1, wait_max=RETRY_WAIT_SECONDS_MAX
    ):
        with attempt:
            return await _once(call)
    raise AssertionError("unreachable: the retries end with a return or an error")


async def _once(call: Callable[[], Awaitable[T]]) -> T:
    try:
        return await call()
    except OUTCOMES as error:
        if error_code(error) == "NoSuchBucket":
            raise StorageRefused(describe(error)) from None
        raise
    except BaseError as error:
        # The chain of causes ends here: the library's text may show an access key's id.
        raise (StorageRefused if _is_refusal(error) else StorageUnavailable)(describe(error)) from None


def _may_pass(error: Exception) -> bool:
    return isinstance(error, StorageUnavailable) and not isinstance(error, StorageRefused)


def _is_refusal(error: BaseError) -> bool:
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or not isinstance(error, GenericError):
        return True
    text, status = str(error), error_status(error)
    return (400 <= status < 500 and status not in _TRY_AGAIN) or any(host in text for host in _INSTANCE_METADATA)  # noqa: PLR2004 - HTTP's own


def error_status(error: Exception) -> int:
    """The HTTP status of the server's answer, 0 when there was none."""
    found = _STATUS.search(str(error))
    return int(found[1]) if found else 0


def error_code(error: Exception) -> str:
    """The code of an S3 error, as in `NoSuchBucket`; empty where it has none."""
    found = _CODE.search(str(error))
    return found[1] if found else ""


def describe(error: Exception) -> str:
    """One line about a failure for the log, without the server's whole answer."""
    text = str(error)
    if any(host in text for host in _INSTANCE_METADATA):
        return "there are no S3 credentials: neither in the environment nor from the machine's metadata"
    line = text.partition("\n")[0].partition("<?xml")[0].strip(" :")[:DESCRIPTION_CHARACTERS_MAX]
    code = error_code(error)
    return f"{line}: {code}" if code else line
