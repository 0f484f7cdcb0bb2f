"""Moving a live session to another engine of its policy when its engine has failed.

The audio log has the session's audio, and everything before the last final is published. The next owner continues from
there.
"""

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.route_pb2 import Route
from tiro_core.routing.availability import ModelAvailability
from tiro_core.routing.suitability import serving
from tiro_core.routing.workers import WorkerDirectory


def next_route(record: SessionRecord, workers: WorkerDirectory) -> Route | None:
    """The first alternative of a session that has a worker with room that can serve it. None where there is none."""
    return next((route for route in record.alternatives if _has_room(record, route, workers)), None)


def move(record: SessionRecord, to: Route) -> None:
    """Change the record of a session so that workers of an alternative may claim it."""
    rest = [route for route in record.alternatives if route != to]
    del record.alternatives[:]
    record.alternatives.extend(rest)
    record.recognition.engine, record.recognition.model = to.engine, to.model
    record.state = SessionRecord.STATE_WAITING
    record.failure_count = 0
    record.ClearField("lease")


def _has_room(record: SessionRecord, route: Route, workers: WorkerDirectory) -> bool:
    able = serving(workers.offering(route.engine, route.model), record.recognition)
    return ModelAvailability(None, able).free_session_slots > 0
