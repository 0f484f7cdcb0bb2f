"""`Client` has the methods of `AsyncClient`, and its live streams those of `LiveStream`, with the same arguments."""

import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Iterable
from types import GenericAlias
from typing import Any, get_args, get_origin

import pytest

from tiro_client import AsyncClient, Client, LiveStream, SyncLiveStream

OWN_ARGUMENTS = {"allow_running_loop"}
"""Arguments of `Client` that `AsyncClient` has no use for."""
COUNTERPARTS = {AsyncClient: Client, LiveStream: SyncLiveStream}


def public(kind: type) -> dict[str, Callable[..., Any]]:
    """The public methods of a class."""
    return {name: member for name, member in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}


def blocking(annotation: Any) -> Any:
    """What stands in a blocking method for an annotation of an asynchronous one."""
    if get_origin(annotation) is AsyncGenerator:
        return GenericAlias(Generator, (get_args(annotation)[0], None, None))
    if get_origin(annotation) is AsyncIterable:
        return GenericAlias(Iterable, get_args(annotation))
    return COUNTERPARTS.get(annotation, annotation)


def described(method: Callable[..., Any], *, convert: Callable[[Any], Any] = lambda it: it) -> list[tuple[Any, ...]]:
    """A method's parameters and result: names, kinds, defaults and types."""
    signature = inspect.signature(method)
    parameters = [(one.name, one.kind, one.default, convert(one.annotation)) for one in signature.parameters.values()]
    return [*parameters, ("return", convert(signature.return_annotation))]


@pytest.mark.parametrize("asynchronous", COUNTERPARTS)
def test_the_methods_are_the_same(asynchronous: type) -> None:
    """Each method has its counterpart, with the same parameters, defaults and types. There is no other."""
    ours, theirs = public(COUNTERPARTS[asynchronous]), public(asynchronous)
    assert set(ours) == set(theirs)
    assert theirs, "the comparison found methods"
    for name, method in theirs.items():
        assert described(ours[name]) == described(method, convert=blocking), name


def test_the_constructors_are_the_same() -> None:
    """What one client can be told, the other one can."""
    ours = [one for one in described(Client.__init__) if one[0] not in OWN_ARGUMENTS]
    assert ours == described(AsyncClient.__init__)
