"""Parts of the service file that are derived from the frozen dataclasses the instance uses.

For: services.workload (health checks) and services.lease (timings), so that fields, limits, defaults and descriptions
are written once, in bootstrap. Guarantees: a derived part is typed strictly and closed against unknown keys like every
`Part`; its limits are those of bootstrap.base.values. Does not: judge how values relate.
"""

from __future__ import annotations

import functools
import operator
import types
import typing
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Discriminator, Field, GetCoreSchemaHandler, Tag, create_model
from pydantic_core import CoreSchema, core_schema

from bootstrap.base.values import Limits
from services.part import Part, printable

SomePart = TypeVar("SomePart", bound=Part)


def pydantic_type(kind: Any) -> Any:
    """`kind`, a type of bootstrap.base.values, with its limits in pydantic's terms."""
    if typing.get_origin(kind) is Annotated:
        inner, *notes = typing.get_args(kind)
        constraints = [each for note in notes for each in _constraints(inner, note)]
        annotated: Any = Annotated  # to be indexed by what is known at run time only
        return annotated[(pydantic_type(inner), *constraints)]
    if typing.get_origin(kind) is tuple:
        return types.GenericAlias(tuple, (pydantic_type(typing.get_args(kind)[0]), ...))
    return kind


class From:
    """In `Annotated[int, From(values.Port)]`: what bootstrap.base.values says of that type."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler.generate_schema(pydantic_type(self._kind))


def with_fields_of(kind: type) -> Callable[[type[SomePart]], type[SomePart]]:
    """A class decorator: adds every field of the dataclass `kind` to a part of the service file."""

    def add(part: type[SomePart]) -> type[SomePart]:
        return create_model(
            part.__name__, __base__=part, __module__=part.__module__, __doc__=part.__doc__, **_definitions(kind)
        )

    return add


class OneOf:
    """In `Annotated[Base, OneOf(kinds)]`: a mapping whose `kind` names one of the dataclasses `kinds`."""

    def __init__(self, kinds: tuple[type, ...], *, description: str, examples: list[Any]) -> None:
        self._classes = {_tag(kind): kind for kind in kinds}
        parts: Any = functools.reduce(operator.or_, [_part_of(kind) for kind in kinds])
        self._type = Annotated[parts, Field(discriminator="kind", description=description, examples=examples)]

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._built, handler.generate_schema(self._type))

    def _built(self, part: Any) -> Any:
        return self._classes[part.kind](**{name: getattr(part, name) for name in type(part).model_fields})


class OneOfParts:
    """In `Annotated[Base, OneOfParts(parts, default=...)]`: a section whose `kind` names one of the parts.

    A section without `kind` is of the kind `default`, so that a file that was written before there were several kinds
    stays valid."""

    def __init__(self, parts: tuple[type[Part], ...], *, default: str) -> None:
        self._default = default
        tagged: list[Any] = [Annotated[part, Tag(_tag(part))] for part in parts]
        union: Any = functools.reduce(operator.or_, tagged)
        # pydantic wants no discriminator for a single part.
        self._type = parts[0] if len(parts) == 1 else Annotated[union, Discriminator(self._kind)]

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler.generate_schema(self._type)

    def _kind(self, section: Any) -> Any:
        return section.get("kind", self._default) if isinstance(section, dict) else getattr(section, "kind", None)


def _part_of(kind: type) -> type[Part]:
    definitions = _definitions(kind)
    definitions["kind"] = (definitions["kind"][0], ...)
    return create_model(kind.__name__, __base__=Part, __module__=kind.__module__, __doc__=kind.__doc__, **definitions)


def _definitions(kind: type) -> dict[str, Any]:
    """The fields of dataclass `kind` as create_model takes them: name to type and default."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {
        item.name: (pydantic_type(hints[item.name]), ... if item.default is MISSING else item.default)
        for item in fields(kind)
    }


def _tag(kind: type) -> str:
    (tag,) = typing.get_args(typing.get_type_hints(kind)["kind"])
    return str(tag)


def _constraints(inner: Any, limits: Any) -> list[Any]:
    if not isinstance(limits, Limits):
        return []
    named = {
        "gt": limits.above,
        "ge": limits.least,
        "le": limits.most,
        "pattern": limits.pattern or None,
        "min_length": limits.shortest,
        "max_length": limits.longest,
        "description": limits.says,
        "examples": None if limits.example is None else [limits.example],
    }
    field = Field(**{name: value for name, value in named.items() if value is not None})  # type: ignore[call-overload]
    return [field, AfterValidator(printable)] if inner is str else [field]
