"""Fixtures of the cluster tests."""

from collections.abc import Iterator

import pytest
import stamina.instrumentation


@pytest.fixture(autouse=True)
def retries_are_quiet() -> Iterator[None]:
    """Turn off the client library's log of retries: hundreds of lines would bury the figures."""
    stamina.instrumentation.set_on_retry_hooks(())
    yield
    stamina.instrumentation.set_on_retry_hooks(None)
