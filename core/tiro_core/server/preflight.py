"""Checks of settings before a service asks NATS or any other process: `--check` runs them alone."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tiro_core.routing.rules import load_routing
from tiro_core.server.grpc_server import require_safe_address
from tiro_core.server.metrics import split_address
from tiro_core.settings import CoreSettings, ServerSettings
from tiro_core.startup import CannotStart
from tiro_engines.catalogue import Catalogue, UnknownNameError, load_catalogue
from tiro_engines.errors import SettingsError

NATS_SCHEMES = ("nats", "tls", "ws", "wss")
MONITOR_SCHEMES = ("http", "https")


def check_core(settings: CoreSettings, *, metrics_address: str) -> None:
    """Check the settings of every service.

    Raises:
        CannotStart: An address has the wrong form, or a file that a setting names cannot be read.
    """
    for url in settings.nats_url.split(","):
        _require_url("nats_url", url if "://" in url else f"nats://{url.strip()}", NATS_SCHEMES)
    for url in filter(str.strip, settings.nats_monitor_url.split(",")):  # empty: no node can be asked
        _require_url("nats_monitor_url", url, MONITOR_SCHEMES)
    if settings.nats_credentials is not None:
        with _naming("nats_credentials"):
            settings.nats_credentials.read_bytes()
    if metrics_address:
        split_address(metrics_address)


def check_server(settings: ServerSettings, address: str) -> None:
    """Check the settings of a service with a gRPC port: TLS, authentication, catalogue, routing and defaults.

    Args:
        settings: The settings.
        address: `host:port` to listen on.

    Raises:
        CannotStart: A setting, or a file that one names, cannot be used.
    """
    require_safe_address(settings, address)
    _check_tls(settings)
    catalogue = read_catalogue(settings.catalogue)
    with _naming("routing"):
        load_routing(settings.routing, catalogue)
    _check_default_model(settings, catalogue)


def check_folder(setting: str, folder: Path | None) -> None:
    """Check that a folder exists.

    Raises:
        CannotStart: It does not.
    """
    if folder is not None and not folder.is_dir():
        raise CannotStart(f"{setting}: {folder} is not a folder")


def read_catalogue(path: Path | None) -> Catalogue:
    """The catalogue of a deployment.

    Raises:
        CannotStart: It cannot be read, or is not valid.
    """
    with _naming("catalogue"):
        return load_catalogue(path)


def _require_url(setting: str, url: str, schemes: tuple[str, ...]) -> None:
    try:
        parts = urlsplit(url.strip())
        valid = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is not a number, or half of an IPv6 address
        valid = False
    if not valid:
        # The URL is not quoted: it may hold a password.
        raise CannotStart(f"{setting}: an address is {schemes[0]}://host:port; several are separated by commas")


def _check_tls(settings: ServerSettings) -> None:
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None or key is None:
        if certificate is not key:
            raise CannotStart("TLS needs both a certificate and its key: tls_certificate and tls_key")
        return
    for setting, file in (("tls_certificate", certificate), ("tls_key", key)):
        with _naming(setting):
            file.read_bytes()
    try:
        # An encrypted key would ask the terminal for its password.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        why = error.reason or "the key is encrypted, or a file is not PEM"
        raise CannotStart(f"{certificate} and {key} cannot be used for TLS: {why}") from error


def _check_default_model(settings: ServerSettings, catalogue: Catalogue) -> None:
    """An engine that is not in the catalogue is allowed: workers with an engine of another package may have it."""
    engine = settings.default_engine or catalogue.default_engine
    if not settings.default_model or engine not in catalogue.engines:
        return
    try:
        catalogue.model(engine, settings.default_model)
    except UnknownNameError as error:
        raise CannotStart(f"default_model: {error} (engine {engine})") from error


@contextmanager
def _naming(setting: str) -> Iterator[None]:
    """Raise what reading a file raises as `CannotStart`, with the name of the setting."""
    try:
        yield
    except OSError as error:
        raise CannotStart(f"{setting}: cannot read {error.filename}: {error.strerror}") from error
    except (SettingsError, UnicodeDecodeError) as error:
        raise CannotStart(f"{setting}: {error}") from error
