"""Sources of recordings, opened at an offset: URLs, and objects in buckets of S3."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import NoReturn, Protocol

import grpc
from aiohttp import ClientError, ClientPayloadError, ClientResponse, ClientSession

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.blobs.s3_objects import open_object
from tiro_core.errors import TiroError
from tiro_core.settings import CoreSettings
from tiro_ingest.outgoing.addresses import AddressRefusedError
from tiro_ingest.outgoing.client import RedirectsError, UrlInvalidError, open_url, parse_url
from tiro_ingest.resources.uris import parse_s3

CHUNK_BYTES = 64 * 1024
RETRY_AFTER_SECONDS_MAX = 60.0
"""The longest `Retry-After` of a host that is respected."""
_OK, _PARTIAL, _RANGE, _BUSY, _SERVER = 200, 206, 416, 429, 500


class TransientFetchError(TiroError):
    """A temporary failure: another try may help."""

    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class OpenedSource:
    """A source that is being read."""

    offset: int
    """The offset of the first byte: the requested one, or 0."""
    size: int | None
    """The size of the whole source, in bytes. None: the host does not state it."""
    tag: str
    """The tag that identifies the same bytes at the next try. Empty: they can only be read from the start."""
    chunks: AsyncIterator[bytes]


class Source(Protocol):
    """A source of bytes."""

    def open(self, offset: int, tag: str) -> AbstractAsyncContextManager[OpenedSource]:
        """Open the source. Raises TiroError; `TransientFetchError` where another try may help."""


class HttpSource:
    """A URL."""

    def __init__(self, session: ClientSession, uri: str) -> None:
        self._session = session
        self._url = parse_url(uri)

    @asynccontextmanager
    async def open(self, offset: int, tag: str) -> AsyncIterator[OpenedSource]:
        """Open the URL at `offset` where the host can and the bytes are still the same; otherwise at the start."""
        headers = {"Range": f"bytes={offset}-", "If-Range": tag} if offset and tag else {}
        try:
            async with open_url(self._session, self._url, headers) as response:
                yield _opened(response, offset if headers else 0)
        except AddressRefusedError as error:
            raise _error(reasons.ERROR_REASON_URI_FORBIDDEN, str(error)) from error
        except RedirectsError as error:
            raise _error(reasons.ERROR_REASON_URI_REDIRECTS, str(error)) from error
        except UrlInvalidError as error:
            raise _error(reasons.ERROR_REASON_URI_INVALID, str(error)) from error
        except ClientPayloadError as error:
            message = "the connection was lost before the end"
            raise _passing(reasons.ERROR_REASON_URI_LENGTH_MISMATCH, message) from error
        except TimeoutError as error:
            raise _passing(reasons.ERROR_REASON_URI_STALLED, "the host sent nothing for too long") from error
        except (ClientError, OSError) as error:
            message = f"no connection: {type(error).__name__}"
            raise _passing(reasons.ERROR_REASON_URI_UNREACHABLE, message) from error


class S3Source:
    """An object in a bucket that is open to jobs."""

    def __init__(self, settings: CoreSettings, uri: str) -> None:
        self._settings = settings
        self._bucket, self._key = parse_s3(uri)

    @asynccontextmanager
    async def open(self, offset: int, tag: str) -> AsyncIterator[OpenedSource]:  # noqa: ARG002 - it has no tag to give
        """Open the object at its start: its reads have their own retries."""
        found = await open_object(self._settings, self._bucket, self._key)
        yield OpenedSource(0, found.size, "", found.read())


def _opened(response: ClientResponse, offset: int) -> OpenedSource:
    status, length = response.status, response.content_length
    if offset and status == _PARTIAL:
        if not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
            raise _error(reasons.ERROR_REASON_URI_HTTP_ERROR, "the host sent another range", http_status=str(status))
        size = offset + length if length is not None else None
    elif status == _OK:
        offset, size = 0, length
    else:
        _raise_status(response)
    e_tag = response.headers.get("ETag", "")
    tag = response.headers.get("Last-Modified", "") if not e_tag or e_tag.startswith("W/") else e_tag
    return OpenedSource(offset, size, tag, response.content.iter_chunked(CHUNK_BYTES))


def _raise_status(response: ClientResponse) -> NoReturn:
    status, message = response.status, f"the host answered with {response.status}"
    metadata = {"http_status": str(status)}
    if status < _SERVER and status not in (_BUSY, _RANGE):
        raise _error(reasons.ERROR_REASON_URI_HTTP_ERROR, message, **metadata)
    error = _passing(reasons.ERROR_REASON_URI_HTTP_ERROR, message, **metadata)
    asked = response.headers.get("Retry-After", "")
    if asked.isascii() and asked.isdigit():
        error.wait_seconds = min(float(asked[:6]), RETRY_AFTER_SECONDS_MAX)
    raise error


def _error(reason: "reasons.ErrorReason.ValueType", message: str, **metadata: str) -> TiroError:
    return TiroError(grpc.StatusCode.FAILED_PRECONDITION, reason, message, metadata)


def _passing(reason: "reasons.ErrorReason.ValueType", message: str, **metadata: str) -> TransientFetchError:
    return TransientFetchError(grpc.StatusCode.FAILED_PRECONDITION, reason, message, metadata)
