"""Keeping secrets out of the log: credentials in URLs, API keys, and the secrets that a process was started with."""

import json
import os
import re
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, SecretStr

REDACTED = "***"
SECRET_CHARACTERS_MIN = 8
"""The shortest secret that is searched for: shorter ones may be words. In URLs all are found by their position."""

_URL_USER = re.compile(r"(?<=://)[^/\s\"']*@")
_URL_QUERY = re.compile(r"(https?://[^\s\"'?<>]*)\?[^\s\"'<>)\]}]*")
_API_KEY = re.compile(r"\btiro_[A-Za-z0-9_-]{20,}")
_BEARER = re.compile(r"(?i)\b(bearer|basic) +[A-Za-z0-9._~+/=-]{8,}")
_SECRET_VARIABLE = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|API_KEY|ACCESS_KEY", re.IGNORECASE)


class Redactor:
    """Replaces secrets in a finished log line.

    Args:
        secrets: Values that must not appear, as they are or as JSON writes them.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {
            form for secret in secrets if secret for form in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1])
        }
        # The longest first: one secret may be the beginning of another.
        self._secrets = sorted(forms, key=len, reverse=True)

    def redact(self, line: str) -> str:
        """The line without secrets."""
        for secret in self._secrets:
            line = line.replace(secret, REDACTED)
        if "://" in line:
            line = _URL_USER.sub(f"{REDACTED}@", line)
            line = _URL_QUERY.sub(rf"\1?{REDACTED}", line)
        if "tiro_" in line:
            line = _API_KEY.sub(f"tiro_{REDACTED}", line)
        return _BEARER.sub(rf"\1 {REDACTED}", line)


def secrets_of(settings: BaseModel, environment: Mapping[str, str] = os.environ) -> set[str]:
    """The secrets among a service's settings, and in variables whose names say that they hold one."""
    found = {
        value
        for name, value in environment.items()
        if _SECRET_VARIABLE.search(name) and not value.startswith("/")  # the path of a file is no secret
    }
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            found |= {part.strip() for part in value.get_secret_value().split(",")}
        elif isinstance(value, str) and "@" in value:
            for url in value.split(","):
                found |= _user_of(url)
    return {secret for secret in found if len(secret) >= SECRET_CHARACTERS_MIN}


def _user_of(url: str) -> set[str]:
    """The credentials before the `@` of a URL: `user:password` and the password, or a token alone."""
    user = (url.partition("://")[2] or url).strip().rpartition("@")[0]
    name, _, password = user.partition(":")
    return {user, password or name}
