"""Addresses and credentials: from arguments, else from environment variables, else defaults."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

ADDRESS_VARIABLE = "TIRO_ADDRESS"
STREAMING_ADDRESS_VARIABLE = "TIRO_STREAMING_ADDRESS"
API_KEY_VARIABLE = "TIRO_API_KEY"
TLS_CA_VARIABLE = "TIRO_TLS_CA"
CLIENT_CERTIFICATE_VARIABLE = "TIRO_TLS_CLIENT_CERTIFICATE"
CLIENT_KEY_VARIABLE = "TIRO_TLS_CLIENT_KEY"

DEFAULT_ADDRESS = "127.0.0.1:50051"
DEFAULT_STREAMING_ADDRESS = "127.0.0.1:50052"
PORT_MAX = 65_535
SYSTEM_ROOTS = "system"
"""Instead of a CA file in `TIRO_TLS_CA`: TLS with the certificate authorities that gRPC bundles."""

TlsCa = Path | Literal[True] | None
"""A PEM file of certificate authorities, True for those that gRPC bundles, None for no TLS."""


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Addresses and credentials."""

    address: str
    """`host:port` of uploads and jobs."""
    streaming_address: str
    """`host:port` of live streams."""
    api_key: str | None
    tls_ca: TlsCa
    client_certificate: Path | None = None
    """A PEM file with the certificate chain that the client shows to the service."""
    client_key: Path | None = None
    """A PEM file with the key of that certificate."""

    @classmethod
    def resolve(
        cls,
        address: str | None = None,
        streaming_address: str | None = None,
        api_key: str | None = None,
        tls: str | Path | bool | None = None,
        *,
        client_certificate: str | Path | None = None,
        client_key: str | Path | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> Self:
        """Settings from arguments, environment variables and defaults. An empty string counts as not given.

        A deployment behind a gateway has one address for all services: an `address` that is given is used for live
        streams too, unless `streaming_address` is given.

        Args:
            address: `host:port`, else `TIRO_ADDRESS`, else 127.0.0.1:50051.
            streaming_address: `host:port`, else `TIRO_STREAMING_ADDRESS`, else the address if one was given, else
                127.0.0.1:50052.
            api_key: The key, else `TIRO_API_KEY`, else none.
            tls: A CA file or True, else `TIRO_TLS_CA` (a file, or `system`), else no TLS. False: no TLS in any case.
            client_certificate: A PEM file, else `TIRO_TLS_CLIENT_CERTIFICATE`, else none.
            client_key: A PEM file, else `TIRO_TLS_CLIENT_KEY`, else none.
            environment: The environment variables.

        Raises:
            ValueError: An address is no host and port, the API key has characters that no key has, or a client
                certificate is given without its key or without TLS.
        """
        tls_ca = _tls_ca(environment.get(TLS_CA_VARIABLE) if tls is None else tls)
        certificate = client_certificate or environment.get(CLIENT_CERTIFICATE_VARIABLE)
        key = client_key or environment.get(CLIENT_KEY_VARIABLE)
        if bool(certificate) != bool(key):
            raise ValueError("a client certificate and its key are needed together")
        if certificate and tls_ca is None:
            raise ValueError("a client certificate is for TLS, which is off: give a CA file, or True, as tls")
        given = address or environment.get(ADDRESS_VARIABLE)
        streaming = streaming_address or environment.get(STREAMING_ADDRESS_VARIABLE)
        return cls(
            address=_checked(given or DEFAULT_ADDRESS),
            streaming_address=_checked(streaming or given or DEFAULT_STREAMING_ADDRESS),
            api_key=_checked_key(api_key or environment.get(API_KEY_VARIABLE) or ""),
            tls_ca=tls_ca,
            client_certificate=Path(certificate) if certificate else None,
            client_key=Path(key) if key else None,
        )


def _checked_key(key: str) -> str | None:
    """A key without the line break that files of secrets end with. None for an empty one."""
    key = key.strip()
    if not (key.isascii() and key.isprintable()):
        raise ValueError("an API key has printable ASCII characters only")
    return key or None


def _checked(address: str) -> str:
    scheme, separator, _ = address.partition("://")
    if separator:
        raise ValueError(f"an address is host:port, without {scheme}://, not {address!r}")
    host, _, port = address.rpartition(":")
    if not host.strip() or not port.isdecimal() or not 0 < int(port) <= PORT_MAX:
        raise ValueError(f"an address is host:port, not {address!r}")
    return address


def _tls_ca(tls: str | Path | bool | None) -> TlsCa:
    if tls is True or tls == SYSTEM_ROOTS:
        return True
    return Path(tls) if tls else None
