"""Structured logs: one event a line, JSON for machines or colours for people. Never a word of a transcript."""

import logging
import sys
from typing import Literal

import structlog
from stamina.instrumentation import PrometheusOnRetryHook, set_on_retry_hooks
from structlog.typing import FilteringBoundLogger, Processor


def configure_logging(service: str, log_format: Literal["json", "console"], level: str) -> None:
    """Set logging up for the process: structlog's lines and those of libraries look the same and go to stderr."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(log_format)],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # Libraries speak up for what somebody should look at; what they retry by themselves we report in our own words.
    for library in ("nats", "httpx", "httpcore", "huggingface_hub", "faster_whisper", "asyncio"):
        logging.getLogger(library).setLevel(logging.WARNING)
    # Each retry while NATS is away would be a line; the outage is one, and the retries are counted.
    set_on_retry_hooks([PrometheusOnRetryHook])
    structlog.contextvars.bind_contextvars(service=service)


def _renderers(log_format: Literal["json", "console"]) -> list[Processor]:
    if log_format == "console":
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    return [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]


def get_logger() -> FilteringBoundLogger:
    """A logger. What is bound with `structlog.contextvars` is on each of its lines."""
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger
