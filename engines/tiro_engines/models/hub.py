"""Weights from the model hub, at the revision of the catalogue."""

import httpx2
from huggingface_hub import get_session, get_token, hf_hub_url, hf_raise_for_status

from tiro_engines.catalogue import Model, ModelFile
from tiro_engines.models.reach import within
from tiro_engines.models.source import Progress, Report, SourceFailed
from tiro_engines.models.staging import Staging, WrongBytes

CONNECT_SECONDS_MAX = 3.0
"""How long connecting to one address of the hub may take."""

REACH_SECONDS_MAX = 6.0
"""How long the first answer may take, with the name look-up and all addresses. Then the next source is tried."""

STALL_SECONDS_MAX = 15.0
"""How long a download may receive no byte."""

ATTEMPTS_MAX = 4
"""Attempts at one file, each continuing where the one before was interrupted."""

_CHUNK_BYTES = 1024 * 1024


class HubSource:
    """Downloads file by file, continuing interrupted downloads. Honours `HF_HUB_OFFLINE`, `HF_ENDPOINT`, `HF_TOKEN`.

    The library's `hf_hub_download` retries an unreachable hub for minutes, and begins an interrupted download again
    from its start. So only the library's URLs, session and errors are used.
    """

    def __init__(self, endpoint: str | None = None) -> None:
        self._endpoint = endpoint

    def describe(self, model: Model) -> str:
        """Name the repository and revision."""
        return f"hub {model.repository}@{model.revision}"

    def fill(self, model: Model, staging: Staging, report: Report) -> None:
        """Download the missing files.

        Raises:
            SourceFailed: The hub cannot be reached, refuses, is interrupted too often, or has other bytes.
        """
        if not model.repository:
            raise SourceFailed("the catalogue names no repository")
        try:
            first = self._url(model, model.files[0])
            within(REACH_SECONDS_MAX, lambda: get_session().head(first, timeout=CONNECT_SECONDS_MAX))
            for file in staging.missing:
                self._fetch(self._url(model, file), file, staging, report)
        except (httpx2.HTTPError, OSError, WrongBytes) as error:
            raise SourceFailed(f"{type(error).__name__}: {' '.join(str(error).split())}") from error

    def _url(self, model: Model, file: ModelFile) -> str:
        return hf_hub_url(model.repository, file.name, revision=model.revision, endpoint=self._endpoint)

    def _fetch(self, url: str, file: ModelFile, staging: Staging, report: Report) -> None:
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                self._stream(url, file, staging, report)
                break
            except httpx2.TransportError:
                if attempt == ATTEMPTS_MAX:
                    raise
        staging.accept(file)

    def _stream(self, url: str, file: ModelFile, staging: Staging, report: Report) -> None:
        offset = staging.received_bytes(file)
        if offset == file.size_bytes:
            return
        # With compression, byte ranges would count compressed bytes.
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={offset}-"}
        if token := get_token():  # a mirror may need it; the catalogue's repositories do not
            headers["Authorization"] = f"Bearer {token}"
        timeout = httpx2.Timeout(STALL_SECONDS_MAX, connect=CONNECT_SECONDS_MAX)
        with get_session().stream("GET", url, headers=headers, timeout=timeout) as response:
            hf_raise_for_status(response)
            if response.status_code != httpx2.codes.PARTIAL_CONTENT:
                staging.restart(file)
            for done_bytes in staging.append(file, response.iter_bytes(_CHUNK_BYTES)):
                report(Progress("hub", file.name, done_bytes, file.size_bytes))
