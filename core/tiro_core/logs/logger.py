"""The logger of every module."""

import structlog
from structlog.typing import FilteringBoundLogger


def get_logger() -> FilteringBoundLogger:
    """A logger. Each of its lines has the fields that are bound with `structlog.contextvars`."""
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger
