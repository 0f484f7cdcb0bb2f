"""Redaction of secrets in log lines."""

import json

import pytest
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from tiro_core.logs.redaction import Redactor, secrets_of


class Settings(BaseSettings):
    """Settings with secrets in them."""

    nats_url: str = ""
    callback_secrets: SecretStr = SecretStr("")


@pytest.mark.parametrize(
    ("line", "redacted"),
    [
        ("nats://tiro:pass@host:4222 is away", "nats://***@host:4222 is away"),
        ("nats://token@host", "nats://***@host"),
        ("nats://u:p@a:4222,nats://u:p@b:4222", "nats://***@a:4222,nats://***@b:4222"),
        ("nats://u:p@ss@host", "nats://***@host"),
        ('{"url": "https://u:p@host/path?X-Amz-Signature=abc&x=1"}', '{"url": "https://***@host/path?***"}'),
        ("URL('https://host/hook?key=abc') failed", "URL('https://host/hook?***') failed"),
        ("http://127.0.0.1:8222/varz is away", "http://127.0.0.1:8222/varz is away"),
        ("the key tiro_" + "a" * 43 + " is not known", "the key tiro_*** is not known"),
        ("authorization: Bearer abcdefgh.ijkl-mnop", "authorization: Bearer ***"),
        ("tiro_ingest_jobs_waiting", "tiro_ingest_jobs_waiting"),
        ("a bearer of news", "a bearer of news"),
    ],
)
def test_secrets_are_recognized_by_their_form(line: str, redacted: str) -> None:
    """Users and queries of URLs, API keys and authorizations are redacted. Other text stays."""
    assert Redactor().redact(line) == redacted


@pytest.mark.parametrize("secret", ["correct horse", 'quo"te\\d secret', "ünïcödé-secret"])
def test_known_secrets_are_found_in_every_spelling(secret: str) -> None:
    """A known secret is redacted in plain text, in JSON, and in a repr."""
    redactor = Redactor([secret])
    for line in (f"a {secret} b", json.dumps({"a": f"a {secret} b"}), repr(f"a {secret} b")):
        assert secret not in redactor.redact(line)
        assert "***" in redactor.redact(line)


def test_secrets_of_settings_and_environment_are_collected() -> None:
    """Secrets are users of URLs, items of secret settings, and variables with such names; not paths and short words."""
    settings = Settings(
        nats_url="nats://tiro:pass/with@word@a:4222,nats://a-long-token@b",
        callback_secrets=SecretStr("the-newest-one, the-older-one"),
    )
    environment = {
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/token",
        "SOME_TOKEN": "short",
        "PATH": "/usr/bin:/bin",
    }
    secrets = secrets_of(settings, environment)
    assert {"pass/with@word", "a-long-token", "the-newest-one", "the-older-one", "wJalrXUtnFEMI"} <= secrets
    assert not secrets & {"/var/run/secrets/token", "short", "/usr/bin:/bin", "tiro"}
