"""GET from a URL that a caller named."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, InvalidURL, TCPConnector
from yarl import URL

from tiro_ingest.outgoing.hosts import is_spelled_host

REDIRECTS_MAX = 5
"""Redirects that are followed."""

CONNECT_SECONDS_MAX = 10.0
"""How long finding a host and connecting to it may take, at each redirect."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class UrlInvalidError(Exception):
    """Not a URL that is fetched. The message names no part of it."""


class RedirectsError(Exception):
    """Redirected too often, to nowhere, or from https to http."""


def parse_url(text: str) -> URL:
    """An absolute http or https URL. Raises UrlInvalidError."""
    try:
        url = URL(text)
        valid = url.scheme in ("http", "https") and bool(url.host) and url.port is not None
    except ValueError as error:
        raise UrlInvalidError("the URL cannot be read") from error
    if not valid:
        raise UrlInvalidError("only absolute http and https URLs are fetched")
    if not is_spelled_host(url.raw_host or ""):
        raise UrlInvalidError("the URL's host cannot be read: a name, or an address in its usual spelling, is meant")
    return url.with_fragment(None)


def without_secrets(url: URL) -> str:
    """For logs and messages: no user, no password, no query (signed URLs have their secrets there)."""
    return str(url.with_user(None).with_query(None).with_fragment(None))


def new_session(connector: TCPConnector, *, stall_seconds: float) -> ClientSession:
    """A session that keeps nothing between requests and listens to no proxy of the environment. Close it.

    Args:
        connector: Decides where it may connect to.
        stall_seconds: How long a host may send nothing.
    """
    timeout = ClientTimeout(total=None, connect=CONNECT_SECONDS_MAX, sock_read=stall_seconds)
    return ClientSession(
        connector=connector, timeout=timeout, cookie_jar=DummyCookieJar(), trust_env=False, auto_decompress=False
    )


@asynccontextmanager
async def open_url(session: ClientSession, url: URL, headers: Mapping[str, str]) -> AsyncIterator[ClientResponse]:
    """Follow redirects to an answer, whatever its status; its body is the caller's to read and to bound.

    Each hop is a request of its own, so its address is checked by the session's connector. Credentials in the URL go to
    its own host; a redirect carries none of them on. Raises RedirectsError, UrlInvalidError, AddressRefusedError,
    `aiohttp.ClientError`, TimeoutError.
    """
    wanted = dict(headers)
    wanted["Accept-Encoding"] = "identity"
    for _ in range(REDIRECTS_MAX + 1):
        try:
            response = await session.get(url, headers=wanted, allow_redirects=False)
        except InvalidURL as error:  # a host of digits that is no usual spelling of an address
            raise UrlInvalidError("the URL's host cannot be read") from error
        async with response:
            if response.status not in _REDIRECTS:
                yield response
                return
            url = _redirected(url, response.headers.get("Location"))
    raise RedirectsError(f"redirected more than {REDIRECTS_MAX} times")


def _redirected(url: URL, location: str | None) -> URL:
    if location is None:
        raise RedirectsError("redirected to nowhere")
    try:
        target = url.with_user(None).join(URL(location))
    except ValueError as error:
        raise RedirectsError("redirected to what cannot be read") from error
    target = parse_url(str(target))
    if url.scheme == "https" and target.scheme != "https":
        raise RedirectsError("redirected from https to http")
    return target
