"""What the tests of a cluster share."""

from collections.abc import Iterator

import pytest
import stamina.instrumentation


@pytest.fixture(autouse=True)
def retries_are_quiet() -> Iterator[None]:
    """The client library logs each retry, of which there are hundreds here: they would bury the figures."""
    stamina.instrumentation.set_on_retry_hooks(())
    yield
    stamina.instrumentation.set_on_retry_hooks(None)
