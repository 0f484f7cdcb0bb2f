"""The answers of nats-server's monitoring port, as far as they are used: https://docs.nats.io, "Monitoring"."""

import http.client
import urllib.error
import urllib.request
from typing import TypeVar

from pydantic import BaseModel, Field, ValidationError

TIMEOUT_SECONDS = 2.0
"""How long one node may take to answer."""
ANSWER_BYTES_MAX = 4 * 1024 * 1024
"""The longest answer that is read: nats-server's have some kilobytes."""

A = TypeVar("A", bound=BaseModel)


class BadAnswer(OSError):  # noqa: N818 - reads as the condition it reports
    """What answers is no monitoring port of nats-server, or was cut off while it answered."""


class _Config(BaseModel):
    max_storage: int = 0
    store_dir: str = ""
    sync_always: bool = False


class _Stats(BaseModel):
    storage: int = 0


class _Meta(BaseModel):
    cluster_size: int = 1


class _JetStream(BaseModel):
    config: _Config = _Config()
    stats: _Stats = _Stats()
    meta: _Meta = _Meta()


class Server(BaseModel):
    """`/varz`: the server and its JetStream."""

    server_id: str = Field(min_length=1)
    server_name: str = Field(min_length=1)
    jetstream: _JetStream = _JetStream()


class _Route(BaseModel):
    ip: str = ""


class Routes(BaseModel):
    """`/routez`: the connections to other nodes of its cluster."""

    routes: list[_Route] | None = None


class _HealthError(BaseModel):
    stream: str = ""
    error: str = ""


class Health(BaseModel):
    """`/healthz?details=true`: what is wrong with it."""

    errors: list[_HealthError] | None = None


def ask(address: str, path: str, answer_type: type[A]) -> A:
    """Get one answer.

    Raises:
        OSError: There is no answer.
        BadAnswer: It is none of nats-server's.
    """
    try:
        body = _get(address + path)
        return answer_type.model_validate_json(body)
    except http.client.HTTPException as error:
        # Its message may be the greeting of another port, or all that came of the answer.
        raise BadAnswer(f"no complete HTTP answer to {path}: {type(error).__name__}") from None
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise BadAnswer(f"the answer to {path} is none of nats-server's: {where or 'it'}: {fault['msg']}") from None
    except ValueError as error:  # a URL that is none
        raise BadAnswer(str(error)) from None


def _get(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - the operator's own setting
            return bytes(answer.read(ANSWER_BYTES_MAX))
    except urllib.error.HTTPError as error:  # an unhealthy node says 503, with the same body
        with error:
            return bytes(error.read(ANSWER_BYTES_MAX))
