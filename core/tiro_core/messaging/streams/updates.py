"""Creating a stream as declared, or updating it where it exists."""

from dataclasses import replace

from nats.js import JetStreamContext
from nats.js.api import StreamConfig
from nats.js.errors import APIError, BadRequestError, ServiceUnavailableError

from tiro_core.logs.logger import get_logger
from tiro_core.messaging.errors import BusUnavailable
from tiro_core.startup import CannotStart

_EXISTS_DIFFERENTLY = 10058  # JSStreamNameExistErr
_NO_PEERS = 10005  # JSClusterNoPeersErrF: the cluster has fewer nodes than the stream has copies

log = get_logger()


class StreamRefused(CannotStart):
    """NATS refuses to create or change a stream as this version of Tiro, or its settings, need it."""

    def __init__(self, stream: str, error: APIError) -> None:
        super().__init__(
            f"NATS refuses the stream {stream}: {error.description} (error {error.err_code}); "
            "see TIRO_NATS_REPLICAS and docs/operations.md"
        )


async def ensure_stream(jetstream: JetStreamContext, config: StreamConfig) -> None:
    """Create or update a stream. Further calls, also by other services at the same time, change nothing.

    A stream keeps its copies when `config` has fewer: a service with old settings must not reduce the durability of the
    others' data. A stream also keeps its mode of persistence, which cannot be changed.

    Raises:
        StreamRefused: NATS refuses the stream.
        BusUnavailable: Too few nodes are available now.
        nats.errors.Error: NATS does not answer.
    """
    try:
        await _make_or_update(jetstream, config)
    except ServiceUnavailableError:
        raise
    except APIError as error:
        if error.err_code == _NO_PEERS:
            raise BusUnavailable(f"stream {config.name}: {error.description}") from error
        raise StreamRefused(str(config.name), error) from error


async def _make_or_update(jetstream: JetStreamContext, config: StreamConfig) -> None:
    try:
        await jetstream.add_stream(config)
    except BadRequestError as error:
        if error.err_code != _EXISTS_DIFFERENTLY:
            raise
    else:
        return
    existing = (await jetstream.stream_info(str(config.name))).config
    wanted, has = config.num_replicas or 1, existing.num_replicas or 1
    if wanted < has:
        log.warning("stream_keeps_copies", stream=config.name, copies=has, asked_for=wanted)
    await jetstream.update_stream(replace(config, num_replicas=max(wanted, has), persist_mode=existing.persist_mode))
