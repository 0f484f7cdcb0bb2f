"""Setting up the log of a process."""

import asyncio
import logging
import sys
import threading
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, Literal

import structlog
from stamina.instrumentation import PrometheusOnRetryHook, set_on_retry_hooks
from structlog.typing import Processor

from tiro_core.logs.exceptions import ExceptionDescriber
from tiro_core.logs.logger import get_logger
from tiro_core.logs.redaction import Redactor


def configure_logging(
    service: str,
    log_format: Literal["json", "console"],
    level: str,
    *,
    redactor: Redactor | None = None,
    describer: ExceptionDescriber | None = None,
) -> None:
    """Set logging up for the process: structlog's lines and those of libraries look the same and go to stderr.

    Args:
        service: The service's name, on each line.
        log_format: The format of lines.
        level: The least severe level that is logged.
        redactor: Removes secrets from every line. By default only those that are recognized by their form.
        describer: Describes exceptions. By default without messages that may quote a caller.
    """
    describer = describer or ExceptionDescriber()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _named(service),
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
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _exceptions_in_fields(describer),
                *_renderers(log_format, describer),
                _redaction(redactor or Redactor()),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # Of libraries only warnings and errors are logged; what they retry by themselves Tiro reports.
    for library in ("nats", "httpx", "httpcore", "huggingface_hub", "faster_whisper", "asyncio"):
        logging.getLogger(library).setLevel(logging.WARNING)
    # Each retry while NATS is away would be a line; the outage is one, and the retries are counted.
    set_on_retry_hooks([PrometheusOnRetryHook])


def log_uncaught_exceptions() -> None:
    """Log uncaught exceptions, those of threads and finalizers too, instead of Python's report on stderr."""

    def main_thread(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        get_logger().critical("crashed", exc_info=(kind, error, trace))

    def other_thread(failed: threading.ExceptHookArgs) -> None:
        get_logger().error(
            "thread_crashed", thread=failed.thread.name if failed.thread else "", exc_info=failed.exc_value
        )

    def nowhere(failed: "sys.UnraisableHookArgs") -> None:
        get_logger().error("exception_lost", of=type(failed.object).__name__, exc_info=failed.exc_value)

    sys.excepthook = main_thread
    threading.excepthook = other_thread
    sys.unraisablehook = nowhere


def log_lost_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Log exceptions of tasks that no code awaits. asyncio's own report would quote their messages."""

    def report(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        awaited = context.get("task") or context.get("future")
        name = awaited.get_name() if isinstance(awaited, asyncio.Task) else ""
        # The message of a failed callback has the callback's arguments, which may be words.
        what = context["message"].partition("(")[0]
        get_logger().error("exception_not_awaited", what=what, task=name, exc_info=context.get("exception"))

    loop.set_exception_handler(report)


def _renderers(log_format: Literal["json", "console"], describer: ExceptionDescriber) -> list[Processor]:
    if log_format == "console":
        exceptions = structlog.processors.ExceptionRenderer(describer.text)
        console = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        return [exceptions, console]
    return [structlog.processors.ExceptionRenderer(describer.dicts), structlog.processors.JSONRenderer()]


def _named(service: str) -> Processor:
    """Put the service's name on each line. A context variable would be set in one thread or task only."""

    def name(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("service", service)
        return event

    return name


def _exceptions_in_fields(describer: ExceptionDescriber) -> Processor:
    def describe(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for name, value in event.items():
            if name != "exc_info" and isinstance(value, BaseException):
                event[name] = describer.line(value)
        return event

    return describe


def _redaction(redactor: Redactor) -> Processor:
    def redact(_logger: Any, _method: str, line: Any) -> Any:
        return redactor.redact(line)

    return redact
