"""Prometheus metrics: each service has a port for `/metrics`."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import REGISTRY, start_http_server

from tiro_core.logs.logger import get_logger
from tiro_core.startup import CannotStart

log = get_logger()


class AddressError(CannotStart, ValueError):
    """The address is not `host:port`."""


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port`, the host without an IPv6 address's brackets.

    Raises:
        AddressError: The address has another form.
    """
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdigit():
        raise AddressError(f"an address is host:port, not {address!r}")
    return host.strip("[]"), int(port)


@contextmanager
def serve_metrics(address: str) -> Iterator[None]:
    """Serve `/metrics` in a thread while the context lasts. With an empty address there are none."""
    if not address:
        yield
        return
    host, port = split_address(address)
    try:
        server, thread = start_http_server(port, addr=host, registry=REGISTRY)
    except OSError as error:
        raise CannotStart(f"cannot serve metrics on {address}: {error}") from error
    log.info("metrics_listening", address=f"{host}:{server.server_port}")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
