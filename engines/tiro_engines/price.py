"""Prices of recognition."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from google.type.money_pb2 import Money
from pydantic import Field

_NANOS = 10**9


@dataclass(frozen=True, slots=True)
class Price:
    """An amount of money, exact to nine decimals, as `google.type.Money` is."""

    amount: Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=9)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    """An ISO 4217 code, as in `USD`."""

    def to_proto(self) -> Money:
        """The price as a message."""
        units, nanos = divmod(int(self.amount * _NANOS), _NANOS)
        return Money(currency_code=self.currency, units=units, nanos=nanos)
