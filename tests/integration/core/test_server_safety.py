"""Services refuse a NATS server that would lose what it has acknowledged."""

from pathlib import Path

import pytest

from tests.support.nats import running_nats
from tiro_core.messaging.monitor import ServerMonitor, UnsafeServer, require_safe_server
from tiro_core.settings import CoreSettings


async def test_a_server_that_flushes_is_taken(core_settings: CoreSettings) -> None:
    """`sync_interval: always` is what is asked for."""
    await require_safe_server(core_settings)


async def test_a_server_that_does_not_flush_is_refused(tmp_path: Path) -> None:
    """NATS's default is refused, with what to do about it, unless the deployment accepts it or has replicas."""
    with running_nats(tmp_path, sync_interval="2m") as server:
        settings = {"nats_url": server.url, "nats_monitor_url": server.monitor_url}
        with pytest.raises(UnsafeServer, match="sync_interval: always"):
            await require_safe_server(CoreSettings.model_validate(settings))
        await require_safe_server(CoreSettings.model_validate({**settings, "allow_unsafe_nats": True}))
        await require_safe_server(CoreSettings.model_validate({**settings, "nats_replicas": 3}))


async def test_a_server_that_cannot_be_asked_is_refused(core_settings: CoreSettings) -> None:
    """Not knowing is not good enough."""
    settings = core_settings.model_copy(update={"nats_monitor_url": "http://127.0.0.1:1"})
    with pytest.raises(UnsafeServer, match="does not answer"):
        await require_safe_server(settings)


async def test_the_free_space_is_known(core_settings: CoreSettings) -> None:
    """The store's free space is what its limit leaves, and no more than the disk has."""
    state = await ServerMonitor(core_settings.nats_monitor_url).look()
    assert 0 < state.free_bytes <= 16 * 1024**3
