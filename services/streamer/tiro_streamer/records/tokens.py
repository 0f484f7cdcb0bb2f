"""The token that resumes a session: random, given to its client, and kept in its record as a digest."""

import hashlib
import hmac
import secrets

from tiro.events.v1.live_pb2 import SessionRecord

TOKEN_BYTES = 24


def new_token() -> str:
    """A token that cannot be guessed: 32 characters that are safe anywhere."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest_of(token: str) -> bytes:
    """What the record keeps of a token."""
    return hashlib.sha256(token.encode()).digest()


def resumes(token: str, record: SessionRecord) -> bool:
    """Whether a token resumes a session. Takes the same time for every wrong one."""
    return bool(record.resume_token_sha256) and hmac.compare_digest(digest_of(token), record.resume_token_sha256)
