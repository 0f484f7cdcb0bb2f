"""Checks signatures as the service does: that of the request, and of each event over the one before.

Signature Version 4: "Signing API requests" of AWS's documentation, and "Event stream encoding" of the service's.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.support.transcribe.frames import Message, encode_headers

ACCESS_KEY = "AKIDOFTHETESTS"
SECRET_KEY = "secret-of-the-tests"  # noqa: S105 - the server is ours
AGE_MAX = timedelta(minutes=5)
_SERVICE = "transcribe"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<scope>[^,]+), ?SignedHeaders=(?P<headers>[^,]+), ?"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)


class BadSignature(Exception):  # noqa: N818 - reads as the condition it reports
    """What was signed is not what came, or was signed by somebody else, or too long ago."""


@dataclass(slots=True)
class Chain:
    """The signatures of one stream: each event's is made over the one before."""

    scope: str
    last: bytes

    def check(self, event: Message) -> None:
        """Check an event's signature, and go on from it.

        Raises:
            BadSignature: It is not right.
        """
        date, signature = event.headers.get(":date"), event.headers.get(":chunk-signature")
        if not isinstance(date, datetime) or not isinstance(signature, bytes):
            raise BadSignature("an event that is not signed")
        _require_fresh(date)
        signed = [
            "AWS4-HMAC-SHA256-PAYLOAD",
            date.strftime("%Y%m%dT%H%M%SZ"),
            self.scope,
            self.last.hex(),
            hashlib.sha256(encode_headers({":date": date})).hexdigest(),
            hashlib.sha256(event.payload).hexdigest(),
        ]
        if not hmac.compare_digest(_sign(self.scope, "\n".join(signed)), signature):
            raise BadSignature("an event's signature does not match")
        self.last = signature


def check_request(path: str, headers: Mapping[str, str]) -> Chain:
    """Check the signature of the request that begins a stream.

    Args:
        path: Of the request, without query.
        headers: With names in lower case; the pseudo-header `:authority` stands for `host`.

    Raises:
        BadSignature: It is not right.
    """
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if found is None:
        raise BadSignature("the request is not signed")
    if found["key"] != ACCESS_KEY:
        raise BadSignature("the access key is not known")
    if not re.fullmatch(rf"\d{{8}}/[a-z0-9-]+/{_SERVICE}/aws4_request", found["scope"]):
        raise BadSignature("the scope is not the service's")
    date = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    _require_fresh(date)
    names = found["headers"].split(";")
    values = {**headers, "host": headers.get("host", headers.get(":authority", ""))}
    canonical = "\n".join(
        [
            "POST",
            path,
            "",
            *(f"{name}:{values[name].strip()}" for name in names),
            "",
            found["headers"],
            hashlib.sha256(b"").hexdigest(),
        ]
    )
    signed = ["AWS4-HMAC-SHA256", headers["x-amz-date"], found["scope"], hashlib.sha256(canonical.encode()).hexdigest()]
    expected = _sign(found["scope"], "\n".join(signed))
    if expected.hex() != found["signature"]:
        raise BadSignature("the request's signature does not match")
    return Chain(found["scope"], expected)


def _require_fresh(date: datetime) -> None:
    if abs(datetime.now(UTC) - date) > AGE_MAX:
        raise BadSignature("the signature has expired")


def _sign(scope: str, text: str) -> bytes:
    key = f"AWS4{SECRET_KEY}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256")
