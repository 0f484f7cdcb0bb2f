"""A limit with a share for each tenant."""

from contextlib import ExitStack

import pytest

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.errors import TiroError, reason_name, resource_exhausted
from tiro_core.server.tenant_limit import RETRY_AFTER, TenantLimit


def limit(total_max: int, share: float) -> TenantLimit:
    """A limit on calls."""
    return TenantLimit(
        "calls",
        total_max,
        share=share,
        total_reached=lambda: resource_exhausted(
            reasons.ERROR_REASON_NO_CAPACITY, "all are busy", retry_after=RETRY_AFTER
        ),
    )


def refusal(calls: TenantLimit, tenant: str) -> str:
    """The reason with which a tenant is refused."""
    with pytest.raises(TiroError) as caught, calls.entered(tenant):
        pass
    return reason_name(caught.value.reason)


def test_one_tenant_cannot_take_everything() -> None:
    """A tenant beyond its share gets TENANT_LIMIT_REACHED. Others are served up to the whole limit."""
    calls = limit(10, 0.8)
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(calls.entered("greedy"))
        assert refusal(calls, "greedy") == "TENANT_LIMIT_REACHED"
        for _ in range(2):
            stack.enter_context(calls.entered("other"))
        assert refusal(calls, "another") == "NO_CAPACITY"
    with calls.entered("greedy"):  # all slots were released
        pass


def test_a_refusal_has_the_limit_and_a_retry_delay() -> None:
    """The error names the limit, the tenant's maximum, and when to retry."""
    calls = limit(4, 0.5)
    with calls.entered("one"), calls.entered("one"), pytest.raises(TiroError) as caught:
        calls.acquire("one")
    assert caught.value.metadata == {"limit": "calls", "max": "2"}
    assert caught.value.retry_after == RETRY_AFTER


@pytest.mark.parametrize(("total_max", "share", "tenant_max"), [(1, 0.5, 1), (0, 0.5, 0), (3, 1.0, 3), (10, 0.25, 2)])
def test_a_share_is_at_least_one(total_max: int, share: float, tenant_max: int) -> None:
    """A tenant's share is rounded down, but at least 1 if the limit is not 0."""
    calls = limit(total_max, share)
    for _ in range(tenant_max):
        calls.acquire("one")
    with pytest.raises(TiroError):
        calls.acquire("one")
