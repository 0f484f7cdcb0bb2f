"""The logger of every module."""

import structlog
from structlog.typing import FilteringBoundLogger


def get_logger() -> FilteringBoundLogger:
    """A logger. What is bound with `structlog.contextvars` is on each of its lines."""
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger
