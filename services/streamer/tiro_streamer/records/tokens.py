"""The token that resumes a session: random, sent to its client, and stored in its record as a digest."""

import hashlib
import hmac
import secrets

from tiro.events.v1.live_pb2 import SessionRecord

TOKEN_BYTES = 24


def new_token() -> str:
    """A random token: 32 characters, safe in URLs."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest_of(token: str) -> bytes:
    """The digest of a token, which the record has."""
    return hashlib.sha256(token.encode()).digest()


def resumes(token: str, record: SessionRecord) -> bool:
    """Whether a token resumes a session. Takes the same time for every wrong one."""
    return bool(record.resume_token_sha256) and hmac.compare_digest(digest_of(token), record.resume_token_sha256)
