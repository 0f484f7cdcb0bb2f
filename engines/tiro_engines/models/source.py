"""The protocol of sources of weights, and their progress."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tiro_engines.catalogue import Model
from tiro_engines.models.staging import Staging


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of fetching one item."""

    source: str
    """The name of the source, as in `hub` or `wheel`."""
    item: str
    """The file or package being fetched."""
    done_bytes: int
    total_bytes: int
    """0 where it is not known."""


Report = Callable[[Progress], None]
"""Called often on the fetching thread, so it must return at once. An exception that it raises ends the fetching."""


class SourceFailed(Exception):  # noqa: N818 - reads as the outcome it reports; the store turns it into ModelUnavailable
    """A source could not supply all missing files. Those that it supplied are kept."""


class Source(Protocol):
    """A source of model files."""

    def describe(self, model: Model) -> str:
        """Name the source, for messages."""

    def fill(self, model: Model, staging: Staging, report: Report) -> None:
        """Put files that are missing into the staging folder.

        Raises:
            SourceFailed: The source could not supply them; the message says why.
        """
