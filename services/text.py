"""The YAML text of a service file, as a tree of mappings, lists and scalars.

For: services.load. Guarantees: whatever the text is, the result is a tree or one `BadText`, soon and without deep
recursion; no key is lost because another one has the same name. A plain scalar is what YAML 1.2 takes it for (core
schema): no dates, no base 60, no `yes`. A number is decimal; what looks like another one (010, 0x1F, .inf) stays a text
and so becomes a finding where a number is wanted. A key is always a text.
Does not: know what a service file is, or accept what none needs: anchors, aliases, tags, several documents.
Source: YAML 1.2.2, chapter 10.3 "Core Schema".
"""

from __future__ import annotations

import re
from typing import Any

import yaml

LARGEST_TEXT = 65_536  # bytes; user data, which repeats the file, is at most 16 KiB
DEEPEST = 16  # mappings and lists inside each other; a service file needs six
LONGEST_KEY = 100

_WORDS: dict[str, Any] = {"": None, "~": None, "true": True, "false": False, "null": None}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})(\.[0-9]{0,18})?([eE][-+]?[0-9]{1,2})?")


class BadText(ValueError):
    """The text is no YAML that can be used: `problem` with its place, and `remedy`, one imperative sentence."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


def read_yaml(content: bytes) -> Any:
    """The tree in `content`; None for an empty one. Raises BadText."""
    if len(content) > LARGEST_TEXT:
        raise BadText(f"longer than {LARGEST_TEXT} bytes", "Move long hooks into the image")
    tree = _Tree()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadText(f"byte {error.start} is not UTF-8", "Save the file as UTF-8") from None
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            tree.take(event)
    except yaml.YAMLError as error:
        raise _not_yaml(error) from None
    return tree.root


class _Tree:
    """The tree as far as the events have come. `_open`: the mappings and lists that are not closed, with their keys."""

    def __init__(self) -> None:
        self.root: Any = None
        self._documents = 0
        self._open: list[tuple[Any, list[str]]] = []

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _refused(event, "a second document begins", "Write one file per service")
        elif isinstance(event, yaml.AliasEvent):
            raise _refused(event, f"*{event.anchor} is an alias", "Write the value out")
        elif isinstance(event, yaml.NodeEvent):
            self._take_node(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()

    def _take_node(self, event: Any) -> None:
        if event.anchor is not None:
            raise _refused(event, f"&{event.anchor} is an anchor", "Write each value out where it belongs")
        if event.tag is not None:
            raise _refused(event, f"{event.tag} is a tag", "Write the value without it")
        if isinstance(event, yaml.ScalarEvent):
            self._put(event, _scalar(event) if self._is_value() else _key(event))
            return
        if not self._is_value():
            raise _refused(event, "a mapping or a list is no key", "Give the key a name")
        value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._put(event, value)
        self._open.append((value, []))
        if len(self._open) > DEEPEST:
            raise _refused(event, f"nested deeper than {DEEPEST} levels", "Start from services/opscenter.yaml")

    def _is_value(self) -> bool:
        return not self._open or isinstance(self._open[-1][0], list) or bool(self._open[-1][1])

    def _put(self, event: Any, value: Any) -> None:
        if not self._open:
            self.root = value
            return
        holder, keys = self._open[-1]
        if isinstance(holder, list):
            holder.append(value)
        elif keys:
            holder[keys.pop()] = value
        elif value in holder:
            raise _refused(event, f"the key {value} is given twice", "Keep one of the two")
        else:
            keys.append(value)


def _key(event: yaml.ScalarEvent) -> str:
    key = str(event.value)
    if not key or not key.isprintable() or len(key) > LONGEST_KEY:
        raise _refused(event, "a key is empty, too long or not on one line", "Use the keys of the schema")
    return key


def _scalar(event: yaml.ScalarEvent) -> Any:
    text = str(event.value)
    if not event.implicit[0]:  # quoted, or a block
        return text
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _refused(event: yaml.Event, problem: str, remedy: str) -> BadText:
    return BadText(f"{_place(event.start_mark)}{problem}", remedy)


def _not_yaml(error: yaml.YAMLError) -> BadText:
    if isinstance(error, yaml.MarkedYAMLError):
        problem = f"{_place(error.problem_mark)}{error.problem}"
    else:  # of the reader: a character that no YAML may hold
        problem = str(error).splitlines()[0]
    return BadText(f"not YAML: {problem}", "Correct the YAML")


def _place(mark: Any) -> str:
    return "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
