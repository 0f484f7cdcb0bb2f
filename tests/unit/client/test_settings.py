"""Addresses and keys of the client: arguments, environment, defaults."""

from pathlib import Path

import pytest

from tiro_client.settings import ClientSettings

DEFAULTS = ("127.0.0.1:50051", "127.0.0.1:50052")


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        ({}, {}, DEFAULTS),
        ({}, {"TIRO_ADDRESS": ""}, DEFAULTS),
        ({}, {"TIRO_ADDRESS": "gate:443"}, ("gate:443", "gate:443")),
        ({"address": "mine:1"}, {"TIRO_ADDRESS": "gate:443"}, ("mine:1", "mine:1")),
        ({}, {"TIRO_STREAMING_ADDRESS": "live:2"}, ("127.0.0.1:50051", "live:2")),
        ({"address": "mine:1"}, {"TIRO_STREAMING_ADDRESS": "live:2"}, ("mine:1", "live:2")),
        ({"streaming_address": "own:3"}, {"TIRO_STREAMING_ADDRESS": "live:2"}, ("127.0.0.1:50051", "own:3")),
        ({"address": "[::1]:5"}, {}, ("[::1]:5", "[::1]:5")),
    ],
)
def test_addresses(arguments: dict[str, str], environment: dict[str, str], expected: tuple[str, str]) -> None:
    """An argument overrides the environment. The address of ingest is also that of live streams, unless given."""
    settings = ClientSettings.resolve(**arguments, environment=environment)
    assert (settings.address, settings.streaming_address) == expected


def test_the_key_comes_from_the_environment() -> None:
    """`TIRO_API_KEY` is the key unless one is given. An empty value is no key."""
    environment = {"TIRO_API_KEY": "tiro_env"}
    assert ClientSettings.resolve(environment=environment).api_key == "tiro_env"
    assert ClientSettings.resolve(api_key="tiro_own", environment=environment).api_key == "tiro_own"
    assert ClientSettings.resolve(environment={"TIRO_API_KEY": ""}).api_key is None
    assert ClientSettings.resolve(environment={"TIRO_API_KEY": "tiro_env\r\n"}).api_key == "tiro_env"


@pytest.mark.parametrize("key", ["tiro_ü", "tiro_a\ntiro_b", "tiro_\udce9"])
def test_a_key_has_printable_ascii_characters(key: str) -> None:
    """Other characters cannot be sent. The error does not show the key."""
    with pytest.raises(ValueError, match="printable ASCII") as refused:
        ClientSettings.resolve(api_key=key, environment={})
    assert key not in str(refused.value)


@pytest.mark.parametrize(
    ("tls", "variable", "expected"),
    [
        (None, None, None),
        (None, "system", True),
        (None, "/ca.pem", Path("/ca.pem")),
        (False, "system", None),
        (True, None, True),
        ("own.pem", "system", Path("own.pem")),
    ],
)
def test_tls(tls: str | bool | None, variable: str | None, expected: object) -> None:
    """TLS is off by default. An argument overrides the environment, so False turns it off."""
    environment = {} if variable is None else {"TIRO_TLS_CA": variable}
    assert ClientSettings.resolve(tls=tls, environment=environment).tls_ca == expected


@pytest.mark.parametrize("address", ["localhost", "https://host", "http://host:1", "host:"])
def test_an_address_needs_a_port(address: str) -> None:
    """An address without a port is refused at once."""
    with pytest.raises(ValueError, match="host:port"):
        ClientSettings.resolve(address, environment={})


def test_a_client_certificate_needs_its_key_and_tls() -> None:
    """A half, or one without TLS, would be ignored silently."""
    files = {"client_certificate": "c.pem", "client_key": "k.pem"}
    with pytest.raises(ValueError, match="together"):
        ClientSettings.resolve(tls=True, client_certificate="c.pem", environment={})
    with pytest.raises(ValueError, match="together"):
        ClientSettings.resolve(tls=True, environment={"TIRO_TLS_CLIENT_KEY": "k.pem"})
    with pytest.raises(ValueError, match="TLS"):
        ClientSettings.resolve(**files, environment={})
    settings = ClientSettings.resolve(tls=True, **files, environment={"TIRO_TLS_CLIENT_KEY": "other.pem"})
    assert (settings.client_certificate, settings.client_key) == (Path("c.pem"), Path("k.pem"))
