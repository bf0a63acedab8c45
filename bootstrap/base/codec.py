"""JSON text to frozen dataclasses and back: one typed codec for every document that two programs exchange.

For: the boot document, lease records, the fence protocol, the state of an instance. Guarantees: a decoded value has
exactly the types that its dataclass declares, within the limits of bootstrap.base.values; every wrong key is reported
at once, each with its path; whatever the input is, also one that is too long, too deep or not text at all, the only
error is `DecodeError`, a ValueError; what `encode` writes, `decode` reads back as an equal value. Pure: the result
depends on the arguments only. Does not: read files or sockets, know how values relate, or convert: a string is never
taken for a number, nor a boolean for an integer. An integer is accepted where a float is declared.

Supported field types: str, int, float (finite), bool, Literal, tuple[T, ...], dataclasses, `T | None`, each also with
Limits, and unions of dataclasses that each have a field `kind`, a Literal of its own. A dataclass that the caller names
in `members` is such a union. Any other type is a TypeError at the first use of the dataclass.
"""

from __future__ import annotations

import json
import math
import types
import typing
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

from bootstrap.base.values import Limits, problem

LARGEST_TEXT = 65_536  # bytes, or characters of a str
DEEPEST = 32  # objects and lists inside each other
LONGEST_NAME = 80  # of an unknown key or a wrong value, in a finding
TAG = "kind"  # the field that tells the members of a union apart

_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)

Value = TypeVar("Value")
UnknownKeys = Literal["refuse", "ignore"]
Members = Mapping[type, tuple[type, ...]]  # a dataclass -> those of its subclasses that may be read in its place


class DecodeError(ValueError):
    """The input is not the document that was asked for. `findings`: one `path: what is wrong` each, at least one."""

    def __init__(self, findings: Iterable[str]) -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(self.findings))


def decode(
    kind: type[Value],
    text: str | bytes,
    *,
    unknown_keys: UnknownKeys,
    members: Members | None = None,
    largest: int = LARGEST_TEXT,
) -> Value:
    """The value of dataclass `kind` that JSON `text` (UTF-8 if bytes, at most `largest` long) holds.

    `unknown_keys`: "refuse" reports them; "ignore" lets an older program read what a newer one wrote.
    Raises DecodeError."""
    return decode_tree(kind, read_json(text, largest=largest), unknown_keys=unknown_keys, members=members)


def read_json(text: str | bytes, *, largest: int = LARGEST_TEXT) -> Any:
    """The JSON tree in `text`; no object in it has a key twice. Raises DecodeError."""
    if len(text) > largest:
        raise DecodeError([f"the text is longer than {largest} {'bytes' if isinstance(text, bytes) else 'characters'}"])
    try:
        return _DECODER.decode(text.decode() if isinstance(text, bytes) else text)
    except DecodeError:
        raise
    except RecursionError:
        raise DecodeError(["the text is nested too deeply"]) from None
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError, an integer of too many digits
        raise DecodeError([f"the text is not JSON: {error}"]) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        times = Counter(name for name, _ in pairs)
        raise DecodeError(f"the key {_cut(name)} is given twice" for name in found if times[name] > 1)
    return found


def decode_tree(kind: type[Value], tree: object, *, unknown_keys: UnknownKeys, members: Members | None = None) -> Value:
    """Like `decode`, from a JSON tree of dicts, lists and scalars. Raises DecodeError."""
    if _is_deeper(tree, DEEPEST):
        raise DecodeError([f"nested deeper than {DEEPEST} levels"])
    report = _Report(refuses_unknown=unknown_keys == "refuse", members=members or {})
    value = _reader(typing.cast(Any, kind))(tree, "", report)
    if report.findings:
        raise DecodeError(report.findings)
    return typing.cast(Value, value)


def encode(value: Any) -> str:
    """One line of JSON, ASCII, without spaces or line break. Raises ValueError for NaN and infinity."""
    return _ENCODER.encode(to_tree(value))


def to_tree(value: Any) -> Any:
    """The JSON tree of a dataclass, or of any part of one: dicts, lists and scalars."""
    if value is None or type(value) in _SCALARS:
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {name: to_tree(getattr(value, name)) for name in _names(type(value))}
    if isinstance(value, (tuple, list)):
        return [to_tree(item) for item in value]
    return value


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(item.name for item in fields(kind))


class _Report:
    """What is wrong with the input so far. Readers return None where they have added a finding."""

    def __init__(self, *, refuses_unknown: bool, members: Members) -> None:
        self.refuses_unknown = refuses_unknown
        self.members = members
        self.findings: list[str] = []

    def add(self, path: str, problem: str) -> None:
        self.findings.append(f"{path}: {problem}" if path else problem)


_Reader = Callable[[Any, str, _Report], Any]
_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def _reader(kind: Any) -> _Reader:
    """The function that reads a value of type `kind`. Raises TypeError for a type that is not supported."""
    if typing.get_origin(kind) is Annotated:
        inner, *notes = typing.get_args(kind)
        return _limited_reader(_reader(inner), [note for note in notes if isinstance(note, Limits)])
    if is_dataclass(kind):
        return _dataclass_reader(typing.cast(type, kind))
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return _tuple_reader(arguments[0])
    if origin is Literal:
        return _literal_reader(arguments)
    if origin in (typing.Union, types.UnionType):
        return _union_reader(arguments)
    if kind in _SCALARS:
        return _scalar_reader(kind)
    raise TypeError(f"the codec does not support {kind!r}")


@cache  # a type is looked into once; readers remember nothing of what they read
def _dataclass_reader(kind: type) -> _Reader:
    hints = typing.get_type_hints(kind, include_extras=True)
    members = {item.name: _reader(hints[item.name]) for item in fields(kind)}
    required = [item.name for item in fields(kind) if item.default is MISSING and item.default_factory is MISSING]

    def read(tree: Any, path: str, report: _Report) -> Any:
        if kind in report.members:
            return _tagged_reader(tuple(report.members[kind]))(tree, path, report)
        if not isinstance(tree, dict):
            return report.add(path, f"must be an object, not {_word(tree)}")
        prefix, before = f"{path}." if path else "", len(report.findings)
        if report.refuses_unknown:
            for name in [name for name in tree if name not in members]:
                report.add(f"{prefix}{_cut(name)}", "unknown key")
        for name in required:
            if name not in tree:
                report.add(prefix + name, "missing")
        values = {name: item(tree[name], prefix + name, report) for name, item in members.items() if name in tree}
        if len(report.findings) > before:
            return None
        try:
            return kind(**values)
        except ValueError as error:  # of a __post_init__
            return report.add(path, str(error))

    return read


def _limited_reader(inner: _Reader, limits: list[Limits]) -> _Reader:
    def read(tree: Any, path: str, report: _Report) -> Any:
        before = len(report.findings)
        value = inner(tree, path, report)
        for each in limits if len(report.findings) == before else ():
            if found := problem(each, value):
                report.add(path, f"{found}; expected: {each.says}")
        return value

    return read


def _tuple_reader(item_kind: Any) -> _Reader:
    item = _reader(item_kind)

    def read(tree: Any, path: str, report: _Report) -> Any:
        if not isinstance(tree, list):
            return report.add(path, f"must be a list, not {_word(tree)}")
        return tuple(item(value, f"{path}[{number}]", report) for number, value in enumerate(tree))

    return read


def _literal_reader(options: tuple[Any, ...]) -> _Reader:
    allowed = ", ".join(map(str, options))

    def read(tree: Any, path: str, report: _Report) -> Any:
        if any(type(tree) is type(option) and tree == option for option in options):
            return tree
        return report.add(path, f"must be one of {allowed}")

    return read


def _union_reader(members: tuple[Any, ...]) -> _Reader:
    kinds = tuple(member for member in members if member is not types.NoneType)
    some = _reader(kinds[0]) if len(kinds) == 1 else _tagged_reader(kinds)
    return some if kinds == members else lambda tree, path, report: None if tree is None else some(tree, path, report)


@cache
def _tagged_reader(kinds: tuple[Any, ...]) -> _Reader:
    by_tag: dict[Any, _Reader] = {}
    for kind in kinds:
        tags = typing.get_args(typing.get_type_hints(kind).get(TAG)) if is_dataclass(kind) else ()
        if not tags or by_tag.keys() & set(tags):
            raise TypeError(f"the codec cannot tell the members of the union apart by their field {TAG}: {[*kinds]!r}")
        by_tag.update(dict.fromkeys(tags, _reader(kind)))
    tag = _literal_reader(tuple(by_tag))

    def read(tree: Any, path: str, report: _Report) -> Any:
        if not isinstance(tree, dict):
            return report.add(path, f"must be an object, not {_word(tree)}")
        found = tag(tree.get(TAG), f"{path}.{TAG}" if path else TAG, report)
        return None if found is None else by_tag[found](tree, path, report)

    return read


def _scalar_reader(kind: type) -> _Reader:
    word, accepted, problem_of = _SCALARS[kind]

    def read(tree: Any, path: str, report: _Report) -> Any:
        if type(tree) not in accepted:
            return report.add(path, f"must be {word}, not {_word(tree)}")
        if found := problem_of(tree):
            return report.add(path, found)
        return float(tree) if kind is float else tree

    return read


def _text_problem(text: str) -> str:
    if text.isascii():
        return ""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "must be text, not half of a surrogate pair"
    return ""


def _number_problem(number: float) -> str:
    try:
        return "" if math.isfinite(number) else "must be a finite number"
    except OverflowError:  # an integer that no float can hold
        return "must be a smaller number"


# JSON's word, the accepted types, and what may be wrong with a value of such a type.
_SCALARS: dict[type, tuple[str, tuple[type, ...], Callable[[Any], str]]] = {
    str: ("a string", (str,), _text_problem),
    int: ("an integer", (int,), lambda _: ""),
    float: ("a number", (int, float), _number_problem),
    bool: ("a boolean", (bool,), lambda _: ""),
}


def _word(value: object) -> str:
    """What `value` is, in the words of JSON."""
    words = {types.NoneType: "null", dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    return words.get(type(value), "an integer" if isinstance(value, int) else "a number")


def _cut(name: object) -> str:
    text = str(name) if str(name).isprintable() else ascii(name)
    return text if len(text) <= LONGEST_NAME else text[:LONGEST_NAME] + "..."


def _is_deeper(tree: object, limit: int) -> bool:
    """Whether more than `limit` objects and lists are inside each other."""
    level = [item for item in [tree] if isinstance(item, (dict, list))]
    for _ in range(limit):
        if not level:
            return False
        children = (child for item in level for child in (item.values() if isinstance(item, dict) else item))
        level = [child for child in children if isinstance(child, (dict, list))]
    return bool(level)
