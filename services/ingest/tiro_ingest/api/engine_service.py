"""`tiro.transcription.v1.EngineService`."""

from typing import Any

import grpc

from tiro.transcription.v1 import engine_service_pb2_grpc
from tiro.transcription.v1.engine_service_pb2 import ListEnginesRequest, ListEnginesResponse
from tiro_ingest.api.engine_list import EngineList

Context = grpc.aio.ServicerContext[Any, Any]


class EngineService(engine_service_pb2_grpc.EngineServiceServicer):
    """Lists the engines and models that a request may name."""

    def __init__(self, engines: EngineList) -> None:
        self._engines = engines

    async def ListEngines(self, request: ListEnginesRequest, context: Context) -> ListEnginesResponse:  # noqa: ARG002, N802 - gRPC's
        """List engines, by name."""
        engines, token = self._engines.page(request.page_size, request.page_token)
        return ListEnginesResponse(engines=engines, next_page_token=token)
