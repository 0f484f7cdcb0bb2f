"""GET requests to URLs that callers name."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, InvalidURL, TCPConnector
from yarl import URL

from tiro_ingest.outgoing.hosts import is_spelled_host

REDIRECTS_MAX = 5
"""The most redirects that are followed."""

CONNECT_SECONDS_MAX = 10.0
"""How long the name look-up and the connection may take, for each redirect."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class UrlInvalidError(Exception):
    """The URL is not accepted. The message quotes no part of it."""


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
        raise UrlInvalidError("the URL's host cannot be read: it must be a name, or an address in standard notation")
    return url.with_fragment(None)


def without_secrets(url: URL) -> str:
    """A URL for logs and messages: without user, password and query, in which signed URLs have their secrets."""
    return str(url.with_user(None).with_query(None).with_fragment(None))


def new_session(connector: TCPConnector, *, stall_seconds: float) -> ClientSession:
    """A session that keeps no cookies and uses no proxy of the environment. The caller closes it.

    Args:
        connector: Allows or refuses each connection.
        stall_seconds: How long a host may send nothing.
    """
    timeout = ClientTimeout(total=None, connect=CONNECT_SECONDS_MAX, sock_read=stall_seconds)
    return ClientSession(
        connector=connector, timeout=timeout, cookie_jar=DummyCookieJar(), trust_env=False, auto_decompress=False
    )


@asynccontextmanager
async def open_url(session: ClientSession, url: URL, headers: Mapping[str, str]) -> AsyncIterator[ClientResponse]:
    """Follow redirects to an answer with any other status. The caller reads its body, with a limit.

    Each redirect is a new request, so the session's connector checks its address. Credentials in the URL are sent to
    its host only, not to those of redirects. Raises RedirectsError, UrlInvalidError, AddressRefusedError,
    `aiohttp.ClientError`, TimeoutError.
    """
    wanted = dict(headers)
    wanted["Accept-Encoding"] = "identity"
    for _ in range(REDIRECTS_MAX + 1):
        try:
            response = await session.get(url, headers=wanted, allow_redirects=False)
        except InvalidURL as error:  # a host of digits that is no address in standard notation
            raise UrlInvalidError("the URL's host cannot be read") from error
        async with response:
            if response.status not in _REDIRECTS:
                yield response
                return
            url = _redirected(url, response.headers.get("Location"))
    raise RedirectsError(f"redirected more than {REDIRECTS_MAX} times")


def _redirected(url: URL, location: str | None) -> URL:
    if location is None:
        raise RedirectsError("redirected without an address")
    try:
        target = url.with_user(None).join(URL(location))
    except ValueError as error:
        raise RedirectsError("redirected to an invalid URL") from error
    target = parse_url(str(target))
    if url.scheme == "https" and target.scheme != "https":
        raise RedirectsError("redirected from https to http")
    return target
