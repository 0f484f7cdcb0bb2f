"""AWS signatures, version 4: of a request, and of the chunks of its event stream, each over the one before it.

From AWS's reference "Signature Version 4": the canonical request, the string to sign, the signing key; for chunks the
algorithm AWS4-HMAC-SHA256-PAYLOAD of event streams.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.support.transcribe_service.frames import BadFrameError, Message, decode, encode_headers

SERVICE = "transcribe"
AGE_MAX = timedelta(minutes=5)
"""The largest difference between a signature's time and the server's; beyond it the signature has expired."""
STREAMING = "STREAMING-AWS4-HMAC-SHA256-EVENTS"
"""The value of `x-amz-content-sha256` for an event stream, where the header is sent."""
_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
"""The hash of the payload where `x-amz-content-sha256` is not sent: `amazon-transcribe` 0.6 does not send it."""
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 "
    r"Credential=(?P<key>[^/ ]+)/(?P<day>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z]+)/aws4_request, "
    r"SignedHeaders=(?P<signed>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)
_DATE = re.compile(r"\d{8}T\d{6}Z")
_MUST_BE_SIGNED = {"host", "x-amz-date"}


class BadSignatureError(Exception):
    """A signature that is missing, or does not match the signed data."""


class ExpiredSignatureError(BadSignatureError):
    """A signature whose time is too far from the server's."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Credentials of an account."""

    access_key: str
    secret_key: str
    token: str | None = None


def verify_request(headers: Mapping[str, str], *, keys: Keys, region: str, now: datetime) -> bytes:
    """Check a POST to /stream-transcription.

    Args:
        headers: Its headers by lower-case name; `host` is the authority.
        keys: Credentials of the only account.
        region: Region of this server.
        now: The server's time.

    Returns:
        The signature. The first chunk is signed over it.

    Raises:
        ExpiredSignatureError: It was signed more than `AGE_MAX` ago.
        BadSignatureError: It is unsigned, or signed for another service, region or day, or with other credentials.
    """
    given = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if given is None:
        raise BadSignatureError("no Authorization of version 4")
    date = headers.get("x-amz-date", "")
    if _DATE.fullmatch(date) is None:
        raise BadSignatureError("no x-amz-date")
    if given["key"] != keys.access_key or headers.get("x-amz-security-token") != keys.token:
        raise BadSignatureError("no account has this access key with this token")
    if (given["day"], given["region"], given["service"]) != (date[:8], region, SERVICE):
        raise BadSignatureError("signed for another day, region or service")
    signed = given["signed"].split(";")
    unsigned = _MUST_BE_SIGNED.union(name for name in headers if name.startswith("x-amz")).difference(signed)
    if unsigned:
        raise BadSignatureError(f"not signed: {', '.join(sorted(unsigned))}")
    payload = headers.get("x-amz-content-sha256", _EMPTY_SHA256)
    if payload not in (STREAMING, _EMPTY_SHA256):
        raise BadSignatureError("x-amz-content-sha256 is not that of an event stream")
    canonical_headers = "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in signed)
    canonical = f"POST\n/stream-transcription\n\n{canonical_headers}\n{given['signed']}\n{payload}"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256", date, _scope(date, region), digest))
    signature = _sign(keys.secret_key, date, region, text)
    if not hmac.compare_digest(signature.hex(), given["signature"]):
        raise BadSignatureError("the request's signature is another")
    _check_age(datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC), now)
    return signature


class ChunkVerifier:
    """Checks the chunks of one stream, in order."""

    def __init__(self, request_signature: bytes, *, keys: Keys, region: str) -> None:
        self._previous = request_signature
        self._keys = keys
        self._region = region
        self.verified = 0
        """Number of chunks with a right signature."""

    def open(self, chunk: Message, now: datetime) -> Message | None:
        """Check a chunk, and return the message in it, or None if it is the empty one that ends a stream.

        Raises:
            ExpiredSignatureError: It was signed more than `AGE_MAX` ago.
            BadSignatureError: It is unsigned, or does not follow the chunk before.
            BadFrameError: Its content is not a message.
        """
        date, signature = chunk.headers.get(":date"), chunk.headers.get(":chunk-signature")
        if not isinstance(date, datetime) or not isinstance(signature, bytes):
            raise BadSignatureError("a chunk without :date and :chunk-signature")
        if set(chunk.headers) != {":date", ":chunk-signature"}:
            raise BadFrameError("a chunk has other headers than :date and :chunk-signature")
        if not hmac.compare_digest(self._signature_of(date, chunk.payload), signature):
            raise BadSignatureError("the chunk's signature is another")
        _check_age(date, now)
        self._previous = signature
        self.verified += 1
        return decode(chunk.payload) if chunk.payload else None

    def _signature_of(self, date: datetime, payload: bytes) -> bytes:
        stamp = date.strftime("%Y%m%dT%H%M%SZ")
        text = "\n".join(
            (
                "AWS4-HMAC-SHA256-PAYLOAD",
                stamp,
                _scope(stamp, self._region),
                self._previous.hex(),
                hashlib.sha256(encode_headers({":date": date})).hexdigest(),
                hashlib.sha256(payload).hexdigest(),
            )
        )
        return _sign(self._keys.secret_key, stamp, self._region, text)


def _check_age(signed: datetime, now: datetime) -> None:
    if abs(now - signed) > AGE_MAX:
        then, earliest, today = (f"{moment:%Y%m%dT%H%M%SZ}" for moment in (signed, now - AGE_MAX, now))
        raise ExpiredSignatureError(f"Signature expired: {then} is now earlier than {earliest} ({today} - 5 min.)")


def _scope(stamp: str, region: str) -> str:
    return f"{stamp[:8]}/{region}/{SERVICE}/aws4_request"


def _sign(secret_key: str, stamp: str, region: str, text: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (stamp[:8], region, SERVICE, "aws4_request", text):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
