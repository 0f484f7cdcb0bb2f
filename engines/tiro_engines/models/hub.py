"""Weights from the model hub, at the revision of the catalogue."""

import threading
from concurrent.futures import Future

import httpx2
from huggingface_hub import get_session, get_token, hf_hub_url, hf_raise_for_status

from tiro_engines.catalogue import Model, ModelFile
from tiro_engines.models.source import Progress, Report, SourceFailed
from tiro_engines.models.staging import Staging, WrongBytes

CONNECT_SECONDS_MAX = 3.0
"""For one address of the hub."""

REACH_SECONDS_MAX = 6.0
"""For the first answer: name look-up and every address together. After it the next source is tried."""

STALL_SECONDS_MAX = 15.0
"""Without a byte, in the middle of a download."""

ATTEMPTS_MAX = 4
"""For one file, each going on where the one before broke off."""

_CHUNK_BYTES = 1024 * 1024


class HubSource:
    """Downloads file by file, continuing what was broken off. `HF_HUB_OFFLINE`, `HF_ENDPOINT`, `HF_TOKEN` are honoured.

    The library's own `hf_hub_download` retries an unreachable hub for minutes and starts a broken download again from
    nothing, so only its addresses, session and errors are used.
    """

    def __init__(self, endpoint: str | None = None) -> None:
        self._endpoint = endpoint

    def describe(self, model: Model) -> str:
        """Name the repository and revision."""
        return f"hub {model.repository}@{model.revision}"

    def fill(self, model: Model, staging: Staging, report: Report) -> None:
        """Download what is missing.

        Raises:
            SourceFailed: The hub cannot be reached, refuses, breaks off too often, or gives other bytes.
        """
        if not model.repository:
            raise SourceFailed("the catalogue names no repository")
        try:
            self._reach(self._url(model, model.files[0]))
            for file in staging.missing:
                self._fetch(self._url(model, file), file, staging, report)
        except (httpx2.HTTPError, OSError, WrongBytes) as error:
            raise SourceFailed(f"{type(error).__name__}: {' '.join(str(error).split())}") from error

    def _url(self, model: Model, file: ModelFile) -> str:
        return hf_hub_url(model.repository, file.name, revision=model.revision, endpoint=self._endpoint)

    def _reach(self, url: str) -> None:
        """Wait for any answer at all.

        The HTTP library's time-out is per address and leaves the name look-up out, so a network that swallows packets
        could take minutes. The thread ends by itself when they have passed.
        """
        answer: Future[int] = Future()

        def ask() -> None:
            try:
                answer.set_result(get_session().head(url, timeout=CONNECT_SECONDS_MAX).status_code)
            except Exception as error:  # noqa: BLE001 - handed to the caller, which raises it again
                answer.set_exception(error)

        threading.Thread(target=ask, name="reach-model-hub", daemon=True).start()
        try:
            answer.result(REACH_SECONDS_MAX)
        except TimeoutError as error:
            raise SourceFailed(f"no answer within {REACH_SECONDS_MAX:g} s") from error

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
        # Compressed on the way, byte ranges would count something else.
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={offset}-"}
        if token := get_token():  # a mirror may want it; the catalogue's repositories do not
            headers["Authorization"] = f"Bearer {token}"
        timeout = httpx2.Timeout(STALL_SECONDS_MAX, connect=CONNECT_SECONDS_MAX)
        with get_session().stream("GET", url, headers=headers, timeout=timeout) as response:
            hf_raise_for_status(response)
            if response.status_code != httpx2.codes.PARTIAL_CONTENT:
                staging.restart(file)
            for done_bytes in staging.append(file, response.iter_bytes(_CHUNK_BYTES)):
                report(Progress("hub", file.name, done_bytes, file.size_bytes))
