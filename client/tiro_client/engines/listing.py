"""Listing engines."""

from tiro.transcription.v1.engine_service_pb2 import ListEnginesRequest
from tiro.transcription.v1.engine_service_pb2_grpc import EngineServiceStub
from tiro_client.calls.connection import Connection
from tiro_client.engines.models import Engine

PAGE_ENGINES = 100
"""Engines per page: the most that a service returns."""


async def list_engines(connection: Connection) -> tuple[Engine, ...]:
    """All engines of a deployment, by name."""
    stub = EngineServiceStub(connection.channel)
    engines: list[Engine] = []
    request = ListEnginesRequest(page_size=PAGE_ENGINES)
    while True:
        page = await connection.call(stub.ListEngines, request)
        engines.extend(Engine.from_proto(engine) for engine in page.engines)
        request.page_token = page.next_page_token
        if not request.page_token:
            return tuple(engines)
