"""A package index, by its simple API (PEP 503 and PEP 691): finding a wheel and downloading it."""

import re
import ssl
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from netrc import NetrcParseError
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote

import httpx2

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
_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_CHUNK_BYTES = 1024 * 1024


class PackageIndex:
    """A client of one index. Use as a context manager."""

    def __init__(self, settings: IndexSettings) -> None:
        """Make the HTTP client, which connects later.

        Raises:
            SourceFailed: The settings name no index, or no certificates.
        """
        try:
            url = httpx2.URL(settings.url.rstrip("/"))
            verify = ssl.create_default_context(cafile=settings.certificates) if settings.certificates else True
        except (httpx2.InvalidURL, OSError) as error:
            raise SourceFailed(f"the machine's package index cannot be used: {error}") from error
        self._auth = _auth_of(url)
        self._url = url.copy_with(username=None, password=None)  # error messages show URLs
        timeout = httpx2.Timeout(STALL_SECONDS_MAX)
        self._client = httpx2.Client(follow_redirects=True, verify=verify, timeout=timeout)

    def __enter__(self) -> "PackageIndex":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def find_wheel(self, package: str, version: str) -> httpx2.URL:
        """The URL of a wheel, for any platform: its members are data.

        Raises:
            SourceFailed: The index has no such wheel, or does not answer in time.
            httpx2.HTTPError: The index cannot be reached, or refuses.
        """
        page = httpx2.URL(f"{self._url}/{_normalized(package)}/")
        response = within(
            PAGE_SECONDS_MAX, lambda: self._client.get(page, auth=self._auth, headers={"Accept": _ACCEPT})
        )
        if response.status_code == httpx2.codes.NOT_FOUND:
            raise SourceFailed(f"{self._url.host} has no package {package}")
        response.raise_for_status()
        for url in _links(response):
            name, _, rest = _file_name(url).partition("-")
            if _normalized(name) == _normalized(package) and rest.startswith(f"{version}-") and rest.endswith(".whl"):
                return url
        raise SourceFailed(f"{self._url.host} has no wheel of {package} {version}")

    def download(self, url: httpx2.URL, path: Path) -> Iterator[tuple[int, int]]:
        """Write a wheel to a file. Yields after each chunk the bytes so far, and their total (0 where it is unknown).

        Raises:
            SourceFailed: The download takes too long, or is too large.
            httpx2.HTTPError: The download is interrupted or refused.
            OSError: The file cannot be written.
        """
        started, done_bytes = time.monotonic(), 0
        # Only the index gets its credentials; its files may be on another host.
        auth = self._auth if url.host == self._url.host else None
        with self._client.stream("GET", url, auth=auth) as response, path.open("wb") as file:
            response.raise_for_status()
            total_bytes = _length(response)
            for chunk in response.iter_bytes(_CHUNK_BYTES):
                done_bytes += file.write(chunk)
                if done_bytes > WHEEL_BYTES_MAX:
                    raise SourceFailed(f"{path.name} has more than {WHEEL_BYTES_MAX} bytes")
                if time.monotonic() - started > DOWNLOAD_SECONDS_MAX:
                    raise SourceFailed(f"{path.name} was not downloaded within {DOWNLOAD_SECONDS_MAX:g} s")
                yield done_bytes, total_bytes


def _auth_of(url: httpx2.URL) -> httpx2.Auth | None:
    """The credentials in the URL, or else those in `.netrc`."""
    if url.username:
        return httpx2.BasicAuth(unquote(url.username), unquote(url.password))
    try:
        return httpx2.NetRCAuth()
    except (OSError, NetrcParseError):  # the file does not exist, or cannot be read
        return None


def _length(response: httpx2.Response) -> int:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else 0


def _normalized(package: str) -> str:
    """A package's name as URLs have it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", package).lower()


def _links(response: httpx2.Response) -> list[httpx2.URL]:
    """The URLs of the files on a package's page.

    Raises:
        SourceFailed: The response is no such page.
    """
    try:
        if "json" in response.headers.get("Content-Type", ""):
            links = [str(file["url"]) for file in response.json()["files"]]
        else:
            anchors = _Anchors()
            anchors.feed(response.text)
            links = anchors.links
        return [response.url.join(link) for link in links]
    except (KeyError, TypeError, ValueError, httpx2.InvalidURL) as error:
        raise SourceFailed(f"{response.url.host} answers with a page that is not an index's: {error!r}") from error


def _file_name(url: httpx2.URL) -> str:
    return url.path.rpartition("/")[2]


class _Anchors(HTMLParser):
    """Collects the links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Add the link of a tag."""
        if tag == "a" and (link := dict(attrs).get("href")):
            self.links.append(link)
