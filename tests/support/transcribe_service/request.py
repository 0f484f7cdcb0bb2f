"""The request of StartStreamTranscription: its parameters are headers `x-amzn-transcribe-...`.

Parameters, their values and their exclusions are those of the public service model (Smithy,
`transcribe-streaming`). Languages are not checked: the service's list grows.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tests.support.transcribe_service.failures import bad_request

PREFIX = "x-amzn-transcribe-"
ENCODINGS = ("pcm", "ogg-opus", "flac")
RATE_MIN, RATE_MAX = 8000, 48000
FILTER_METHODS = ("mask", "remove", "tag")
STABILITIES = ("low", "medium", "high")
_LANGUAGE = re.compile(r"[a-z]{2,3}-[A-Z]{2}")
_SESSION_ID = re.compile(r"[a-fA-F0-9]{8}(-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}")


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """Parameters of a stream. `parameters` are all headers with the prefix, without it."""

    parameters: Mapping[str, str]

    @property
    def language_code(self) -> str | None:
        """The language, as in `en-US`; None where the service identifies it."""
        return self.parameters.get("language-code")

    @property
    def language_options(self) -> tuple[str, ...]:
        """Languages among which the service identifies one; the preferred one first."""
        options = tuple(filter(None, self.parameters.get("language-options", "").split(",")))
        preferred = self.parameters.get("preferred-language")
        return tuple(sorted(options, key=lambda option: option != preferred))

    @property
    def identifies_language(self) -> bool:
        """Whether the service identifies the language."""
        return self._flag("identify-language") or self._flag("identify-multiple-languages")

    @property
    def sample_rate(self) -> int:
        """The sample rate in Hz."""
        return int(self.parameters["sample-rate"])

    @property
    def encoding(self) -> str:
        """The encoding, one of `ENCODINGS`."""
        return self.parameters["media-encoding"]

    @property
    def channels(self) -> int:
        """Number of channels that are transcribed separately; 1 without channel identification."""
        return int(self.parameters["number-of-channels"]) if self._flag("enable-channel-identification") else 1

    @property
    def speaker_labels(self) -> bool:
        """Whether words have a speaker's label."""
        return self._flag("show-speaker-label")

    @property
    def stability(self) -> str | None:
        """One of `STABILITIES`, or None where partial results are not stabilized."""
        if not self._flag("enable-partial-results-stabilization"):
            return None
        return self.parameters.get("partial-results-stability", "high")

    @property
    def session_id(self) -> str | None:
        """The client's id of the stream."""
        return self.parameters.get("session-id")

    @property
    def vocabulary(self) -> str | None:
        """Name of a custom vocabulary."""
        return self.parameters.get("vocabulary-name")

    @property
    def vocabulary_filter(self) -> str | None:
        """Name of a vocabulary filter."""
        return self.parameters.get("vocabulary-filter-name")

    def _flag(self, name: str) -> bool:
        return self.parameters.get(name, "false").lower() == "true"


def read_request(headers: Mapping[str, str]) -> StreamRequest:
    """Read the parameters of a stream from the headers of its request.

    Raises:
        ServiceFailure: BadRequestException: a parameter is missing, unknown to the service or at odds with another.
    """
    parameters = {name.removeprefix(PREFIX): value for name, value in headers.items() if name.startswith(PREFIX)}
    for name, good in _checks(parameters).items():
        if not good:
            raise bad_request(f"{name}: {parameters.get(name)!r} is not valid. Check the parameter and try again.")
    return StreamRequest(parameters)


def _checks(given: Mapping[str, str]) -> dict[str, bool]:
    request = StreamRequest(given)
    rate, channels = given.get("sample-rate", ""), given.get("number-of-channels", "")
    language = given.get("language-code")
    named = language is not None and _LANGUAGE.fullmatch(language) is not None
    apart = request._flag("enable-channel-identification")
    return {
        "language-code": language is None if request.identifies_language else named,
        "language-options": not request.identifies_language or bool(request.language_options),
        "sample-rate": rate.isdecimal() and RATE_MIN <= int(rate) <= RATE_MAX,
        "media-encoding": given.get("media-encoding") in ENCODINGS,
        "session-id": request.session_id is None or _SESSION_ID.fullmatch(request.session_id) is not None,
        "partial-results-stability": given.get("partial-results-stability", "high") in STABILITIES,
        "vocabulary-filter-method": given.get("vocabulary-filter-method", "mask") in FILTER_METHODS,
        "content-redaction-type": not {"content-redaction-type", "content-identification-type"} <= given.keys(),
        "number-of-channels": channels == "2" if apart else not channels,
        "show-speaker-label": not (request.speaker_labels and apart),
    }
