"""The base of interceptors, for all four kinds of methods: a context around the call, and a hook for each request."""

from __future__ import annotations  # grpc's classes cannot be subscripted when the program runs

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import grpc

Context = grpc.aio.ServicerContext[Any, Any]


class AroundInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every method, unary or streaming. Subclasses define the context around a call, or check its requests."""

    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:  # noqa: ARG002 - for subclasses
        """The context around one call. Exceptions of the method are raised at its `yield`."""
        return nullcontext()

    def on_request(self, request: Any) -> None:
        """Check each request before the method gets it."""

    def deserializer(self, inner: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
        """What parses a request. None: the method gets bytes."""
        return inner

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wrap the handler of a method."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler
        return self._wrap(handler, handler_call_details.method)

    def _wrap(self, handler: Any, method: str) -> grpc.RpcMethodHandler[Any, Any]:
        codec = {
            "request_deserializer": self.deserializer(handler.request_deserializer),
            "response_serializer": handler.response_serializer,
        }
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(self._returning(handler.unary_unary, method), **codec)
        if handler.stream_unary:
            wrapped = self._returning(handler.stream_unary, method, streams_in=True)
            return grpc.stream_unary_rpc_method_handler(wrapped, **codec)
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(self._streaming(handler.unary_stream, method), **codec)
        wrapped = self._streaming(handler.stream_stream, method, streams_in=True)
        return grpc.stream_stream_rpc_method_handler(wrapped, **codec)

    def _returning(self, behaviour: Any, method: str, *, streams_in: bool = False) -> Any:
        async def call(request: Any, context: Context) -> Any:
            async with self.around(method, context):
                return await behaviour(self._checked(request, streams_in=streams_in), context)

        return call

    def _streaming(self, behaviour: Any, method: str, *, streams_in: bool = False) -> Any:
        """Wrap a method with a stream of responses: it yields them, or writes them to the context."""
        wrap = self._yielding if inspect.isasyncgenfunction(behaviour) else self._returning
        return wrap(behaviour, method, streams_in=streams_in)

    def _yielding(self, behaviour: Any, method: str, *, streams_in: bool = False) -> Any:
        async def call(request: Any, context: Context) -> AsyncIterator[Any]:
            async with self.around(method, context):
                async for response in behaviour(self._checked(request, streams_in=streams_in), context):
                    yield response

        return call

    def _checked(self, request: Any, *, streams_in: bool) -> Any:
        if type(self).on_request is AroundInterceptor.on_request:  # no hook: a stream needs no wrapping
            return request
        if streams_in:
            return self._each(request)
        self.on_request(request)
        return request

    async def _each(self, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for request in requests:
            self.on_request(request)
            yield request
