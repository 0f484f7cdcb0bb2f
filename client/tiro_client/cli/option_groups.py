"""Groups of options, each declared once for all commands that take it.

A group is a dataclass whose fields are options:

    @dataclass(frozen=True, slots=True, kw_only=True)
    class RecognitionArguments:
        model: Annotated[str, typer.Option("--model", help="Model.")] = ""

A command takes the group as a keyword parameter without default:

    @with_option_groups
    def listen(context: typer.Context, *, recognition: RecognitionArguments) -> None: ...
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import Parameter
from typing import Any, get_type_hints


def with_option_groups(command: Callable[..., None]) -> Callable[..., None]:
    """The command as Typer has to see it: each parameter that is a group is replaced by the group's options."""
    parameters = inspect.signature(command).parameters.values()
    groups: dict[str, Any] = {
        parameter.name: parameter.annotation for parameter in parameters if is_dataclass(parameter.annotation)
    }

    @wraps(command)
    def flat(**arguments: Any) -> None:
        for name, group in groups.items():
            arguments[name] = group(**{field.name: arguments.pop(field.name) for field in fields(group)})
        command(**arguments)

    expanded = [
        option
        for parameter in parameters
        for option in (_options_of(groups[parameter.name]) if parameter.name in groups else [parameter])
    ]
    # Typer reads the names and defaults from the signature, and the types from the annotations.
    vars(flat)["__signature__"] = inspect.Signature(expanded)
    flat.__annotations__ = {parameter.name: parameter.annotation for parameter in expanded}
    return flat


def _options_of(group: Any) -> Iterator[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        yield Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name])
