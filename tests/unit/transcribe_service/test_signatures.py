"""The verifier of signatures, with requests and chunks that the SDK has signed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from amazon_transcribe.auth import Credentials
from amazon_transcribe.eventstream import EventSigner

from tests.support.transcribe_service.frames import BadFrameError, Message, encode
from tests.support.transcribe_service.signatures import (
    STREAMING,
    BadSignatureError,
    ChunkVerifier,
    ExpiredSignatureError,
    Keys,
    verify_request,
)

KEYS = Keys("AKIDOFTHETESTS000000", "secret of the tests")
REGION = "eu-west-1"
NOW = datetime(2026, 11, 26, 17, 41, 47, tzinfo=UTC)
SIGNATURE = "054d2bd954263a439db8a68fb48876db14b0434d14967a594246e480e2563cee"
REQUEST = {
    "x-amzn-transcribe-language-code": "en-US",
    "x-amzn-transcribe-sample-rate": "16000",
    "x-amzn-transcribe-media-encoding": "pcm",
    "x-amzn-transcribe-enable-partial-results-stabilization": "True",
    "x-amzn-transcribe-partial-results-stability": "high",
    "user-agent": "transcribe-streaming-sdk-0.6.4",
    "x-amz-date": "20261126T174147Z",
    "authorization": (
        "AWS4-HMAC-SHA256 Credential=AKIDOFTHETESTS000000/20261126/eu-west-1/transcribe/aws4_request, "
        "SignedHeaders=host;x-amz-date;x-amzn-transcribe-enable-partial-results-stabilization;"
        "x-amzn-transcribe-language-code;x-amzn-transcribe-media-encoding;"
        f"x-amzn-transcribe-partial-results-stability;x-amzn-transcribe-sample-rate, Signature={SIGNATURE}"
    ),
    "host": "localhost",
}
"""A request that `amazon-transcribe` 0.6.4 has signed with awscrt 0.26.1 and `KEYS`."""
AUDIO = [encode(Message({":message-type": "event", ":event-type": "AudioEvent"}, bytes((n,)))) for n in range(3)]


def test_a_request_of_the_sdk() -> None:
    """A request of the SDK is valid, and its signature is returned."""
    assert verify_request(REQUEST, keys=KEYS, region=REGION, now=NOW) == bytes.fromhex(SIGNATURE)


@pytest.mark.parametrize(
    ("altered", "why"),
    [
        ({"x-amzn-transcribe-language-code": "de-DE"}, "the request's signature is another"),
        ({"host": "elsewhere"}, "the request's signature is another"),
        ({"x-amz-date": "20261126T174148Z"}, "the request's signature is another"),
        ({"authorization": REQUEST["authorization"][:-1] + "f"}, "the request's signature is another"),
        ({"authorization": REQUEST["authorization"].replace("eu-west-1", "us-east-1")}, "another day, region"),
        ({"authorization": REQUEST["authorization"].replace("/transcribe/", "/polly/")}, "another day, region"),
        ({"authorization": REQUEST["authorization"].replace("AKID", "AKIE")}, "no account has this access key"),
        ({"x-amz-date": "Thu, 26 Nov 2026 17:41:47 GMT"}, "no x-amz-date"),
        ({"authorization": "Bearer x"}, "no Authorization of version 4"),
        ({"x-amz-security-token": "x"}, "no account has this access key with this token"),
        ({"x-amzn-transcribe-vocabulary-name": "x"}, "not signed: x-amzn-transcribe-vocabulary-name"),
        ({"x-amz-content-sha256": STREAMING}, "not signed: x-amz-content-sha256"),
    ],
)
def test_an_altered_request(altered: dict[str, str], why: str) -> None:
    """A request with any altered header is refused."""
    with pytest.raises(BadSignatureError, match=why):
        verify_request({**REQUEST, **altered}, keys=KEYS, region=REGION, now=NOW)


def test_a_request_with_another_secret_key() -> None:
    """A request that is signed with another secret key is refused."""
    with pytest.raises(BadSignatureError, match="signature is another"):
        verify_request(REQUEST, keys=replace(KEYS, secret_key="guessed"), region=REGION, now=NOW)  # noqa: S106


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_expired_request(minutes: int) -> None:
    """A request whose time is more than five minutes off is refused."""
    with pytest.raises(ExpiredSignatureError):
        verify_request(REQUEST, keys=KEYS, region=REGION, now=NOW + timedelta(minutes=minutes))


def chunks(payloads: list[bytes], *, secret: str = KEYS.secret_key) -> list[Message]:
    """Chunks that the SDK has signed, each over the one before."""
    signer = EventSigner("transcribe", REGION, utc_now=lambda: NOW)
    previous, signed = bytes.fromhex(SIGNATURE), []
    for payload in payloads:
        headers: dict[str, Any] = signer.sign(payload, previous, Credentials(KEYS.access_key, secret))
        date, previous = headers[":date"], headers[":chunk-signature"]
        signed.append(Message({":date": date, ":chunk-signature": previous}, payload))
    return signed


@pytest.fixture
def verifier() -> ChunkVerifier:
    """The verifier of the stream that `REQUEST` starts."""
    return ChunkVerifier(bytes.fromhex(SIGNATURE), keys=KEYS, region=REGION)


def test_chunks_of_the_sdk(verifier: ChunkVerifier) -> None:
    """A chain of chunks gives its events. The empty last chunk gives None."""
    opened = [verifier.open(chunk, NOW) for chunk in chunks([*AUDIO, b""])]
    assert [event and event.payload for event in opened] == [b"\0", b"\1", b"\2", None]
    assert verifier.verified == 4


@pytest.mark.parametrize("order", [[1], [0, 2], [0, 0], [1, 0]])
def test_chunks_out_of_order(verifier: ChunkVerifier, order: list[int]) -> None:
    """A missing, repeated or moved chunk is refused."""
    signed = chunks(AUDIO)
    with pytest.raises(BadSignatureError, match="signature is another"):
        for index in order:
            verifier.open(signed[index], NOW)


@pytest.mark.parametrize("alter", ["payload", ":date", ":chunk-signature"])
def test_an_altered_chunk(verifier: ChunkVerifier, alter: str) -> None:
    """A chunk with an altered payload, date or signature is refused."""
    (chunk,) = chunks(AUDIO[:1])
    altered = {
        "payload": replace(chunk, payload=AUDIO[1]),
        ":date": replace(chunk, headers={**chunk.headers, ":date": NOW + timedelta(milliseconds=1)}),
        ":chunk-signature": replace(chunk, headers={**chunk.headers, ":chunk-signature": bytes(32)}),
    }[alter]
    with pytest.raises(BadSignatureError, match="signature is another"):
        verifier.open(altered, NOW)
    assert verifier.verified == 0


def test_a_chunk_without_signature(verifier: ChunkVerifier) -> None:
    """An event that is not in a signed chunk is refused."""
    with pytest.raises(BadSignatureError, match="without :date"):
        verifier.open(Message({":message-type": "event"}, b""), NOW)


def test_a_chunk_with_more_headers(verifier: ChunkVerifier) -> None:
    """A chunk with headers that its signature does not cover is refused."""
    (chunk,) = chunks(AUDIO[:1])
    with pytest.raises(BadFrameError):
        verifier.open(replace(chunk, headers={**chunk.headers, ":event-type": "AudioEvent"}), NOW)


def test_a_chunk_with_another_secret_key(verifier: ChunkVerifier) -> None:
    """A chunk that is signed with another secret key is refused."""
    with pytest.raises(BadSignatureError, match="signature is another"):
        verifier.open(chunks(AUDIO[:1], secret="guessed")[0], NOW)  # noqa: S106


def test_an_expired_chunk(verifier: ChunkVerifier) -> None:
    """A chunk whose time is more than five minutes off is refused, with the service's message."""
    with pytest.raises(ExpiredSignatureError, match=r"Signature expired: 20261126T174147Z is now earlier than"):
        verifier.open(chunks(AUDIO[:1])[0], NOW + timedelta(minutes=6))
