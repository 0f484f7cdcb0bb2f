"""Whether NATS keeps acknowledged messages when the power fails."""

from tiro_core.logs.logger import get_logger
from tiro_core.messaging.monitoring.monitor import ServerMonitor, ServerState
from tiro_core.settings import CoreSettings
from tiro_core.startup import EXIT_UNSAFE, CannotStart

_REMEDY = "set `sync_interval: always` in its JetStream configuration, or TIRO_ALLOW_UNSAFE_NATS=true to accept that"

log = get_logger()


class UnsafeServer(CannotStart):
    """The NATS server may lose acknowledged jobs, or Tiro cannot find out."""

    exit_status = EXIT_UNSAFE


async def require_safe_server(settings: CoreSettings, monitor: ServerMonitor) -> None:
    """Refuse a server, or a cluster, that would lose acknowledged jobs, unless the deployment accepts that.

    In a cluster each node must flush as well. Machines with one power supply lose it together, and a node that restarts
    without its last writes can outvote the one that has them (Jepsen's report on NATS 2.12.1). A majority of the nodes
    must answer here; the others are checked later, when they are up (`tiro_core.server.checks`).

    Raises:
        UnsafeServer: A node acknowledges before it flushes, or too few nodes answer.
    """
    if settings.allow_unsafe_nats:
        return
    try:
        state = await monitor.state()
    except OSError as error:
        raise UnsafeServer(
            "cannot check whether the NATS server keeps acknowledged messages: its monitoring port "
            f"{settings.nats_monitor_url} (TIRO_NATS_MONITOR_URL) does not answer: {error}; {_REMEDY}"
        ) from error
    if state.unflushed:
        raise UnsafeServer(
            f"the NATS server ({', '.join(state.unflushed)}) may lose acknowledged jobs when the power fails: {_REMEDY}"
        )
    _require_majority(state)


def _require_majority(state: ServerState) -> None:
    seen, size = len(state.nodes), state.cluster_size
    if seen <= size // 2:
        raise UnsafeServer(
            f"cannot check whether the NATS cluster keeps acknowledged messages: only {seen} of its {size} nodes "
            "answered; name the monitoring address of each node in TIRO_NATS_MONITOR_URL, separated by commas, or set "
            "TIRO_ALLOW_UNSAFE_NATS=true to accept that"
        )
    if seen < size:
        log.warning("nats_nodes_not_checked", nodes=size - seen, addresses=list(state.silent))
