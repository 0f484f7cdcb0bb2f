"""What resumes a session: a random token for its client, a digest of it for its record."""

import hashlib
import hmac
import secrets

from tiro.events.v1.live_pb2 import SessionRecord

TOKEN_BYTES = 24


def new_token() -> str:
    """A token that nobody can guess: 32 characters that are safe anywhere."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest_of(token: str) -> bytes:
    """What the record keeps of a token."""
    return hashlib.sha256(token.encode()).digest()


def opens(token: str, record: SessionRecord) -> bool:
    """Whether a token resumes a session. Takes the same time for every wrong one."""
    return bool(record.resume_token_sha256) and hmac.compare_digest(digest_of(token), record.resume_token_sha256)
