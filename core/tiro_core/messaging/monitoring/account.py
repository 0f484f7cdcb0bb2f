"""The free space of the JetStream account: a provider's account is full long before its servers are."""

import time

from nats.js.api import AccountInfo

from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import translated

FRESH_SECONDS = 5.0
"""How long one answer about the account is reused."""


class AccountMonitor:
    """Asks JetStream for the limits and the usage of the account of this service's connection.

    Args:
        bus: The connection.
        replicas: Copies of every stream. A tier of an account counts each message once; otherwise each copy counts.
    """

    def __init__(self, bus: Bus, replicas: int) -> None:
        self._bus = bus
        self._replicas = replicas
        self._free: int | None = None
        self._seen_at: float | None = None

    async def free_bytes(self) -> int | None:
        """The bytes of messages that may still be stored, copies not counted. None when the account has no limit.

        Raises:
            BusUnavailable: JetStream does not answer.
        """
        if self._seen_at is None or time.monotonic() - self._seen_at > FRESH_SECONDS:
            with translated():
                self._free = self._free_in(await self._bus.jetstream.account_info())
            self._seen_at = time.monotonic()
        return self._free

    def _free_in(self, account: AccountInfo) -> int | None:
        tier = (account.tiers or {}).get(f"R{self._replicas}")
        if tier is not None:
            return None if tier.limits.max_storage < 0 else tier.limits.max_storage - tier.storage
        if account.limits.max_storage < 0:
            return None
        return (account.limits.max_storage - account.storage) // self._replicas
