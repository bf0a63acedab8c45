"""Write docs/service-file.md from the JSON schema of the service file: `python -m tools.reference`.

For: people who write a service file; `make schema` runs it. Guarantees: every field of the schema has a row with type,
limits, default, meaning and example, in the order of the models; the same schema gives the same text. Does not: say how
values must fit together (services.rules and services.timing do, and `validate` reports it).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.schema import json_schema

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "service-file.md"
HEAD = """# The service file

<!-- Written by `make schema` from services/spec.py. Do not edit. -->

One YAML file describes one service. Its first line lets an editor complete and check it:

```yaml
# yaml-language-server: $schema=schema.json
```

`python -m services validate FILE` reports every mistake at once, also values that do not fit together. A name that ends
in `_s` is a number of seconds. A field in **bold** is required. `[]` in a heading means "each item of the list".
"""

Schema = dict[str, Any]
Section = tuple[str, Schema]  # its path, and the schema of the mapping there


def document() -> str:
    """The whole text of docs/service-file.md."""
    sections = [_text(path, schema) for path, schema in _sections("", json_schema())]
    return "\n".join([HEAD, *sections])


def _sections(path: str, schema: Schema) -> Iterator[Section]:
    """This mapping, and every mapping below it, depth first."""
    yield path, schema
    for name, below in schema.get("properties", {}).items():
        where = f"{path}.{name}".lstrip(".")
        for suffix, kind in _mappings(below):
            yield from _sections(where + suffix, kind)


def _mappings(schema: Schema) -> Iterator[Section]:
    """The mappings that a value may be or hold, each with what its path adds to the value's."""
    schema = _resolved(schema)
    if "oneOf" in schema:
        for option in map(_resolved, schema["oneOf"]):
            yield f" of kind {option['properties']['kind']['const']}", option
    elif "properties" in schema:
        yield "", schema
    for suffix, below in (("[]", schema.get("items")), (".ZONE", _of_any_key(schema))):
        for more, kind in _mappings(below) if below else ():
            yield suffix + more, kind


def _of_any_key(schema: Schema) -> Schema | None:
    """The schema of the values of a mapping whose keys are the writer's own."""
    return next(iter(schema.get("patternProperties", {}).values()), None)


def _resolved(schema: Schema) -> Schema:
    """`schema` with a reference followed, and without the null of an optional value."""
    if "$ref" in schema:
        target = json_schema()["$defs"][schema["$ref"].rsplit("/", 1)[1]]
        return _resolved({**target, **{key: value for key, value in schema.items() if key != "$ref"}})
    options = [option for option in schema.get("anyOf", []) if option.get("type") != "null"]
    return (
        _resolved(options[0] | {key: value for key, value in schema.items() if key != "anyOf"}) if options else schema
    )


def _text(path: str, schema: Schema) -> str:
    heading = f"## `{path}`" if path else "## The file"
    rows = [
        _row(name, below, is_required=name in schema.get("required", ()))
        for name, below in schema["properties"].items()
    ]
    table = ["| Field | Type and limits | Default | Meaning | Example |", "| --- | --- | --- | --- | --- |", *rows]
    return "\n".join([heading, "", " ".join(schema["description"].split()), "", *table, ""])


def _row(name: str, schema: Schema, *, is_required: bool) -> str:
    value = _resolved(schema)
    shown = f"**`{name}`**" if is_required else f"`{name}`"
    given = schema.get("default")
    default = "" if is_required or given is None or "properties" in value else f"`{json.dumps(given)}`"
    example = f"`{json.dumps(value['examples'][0])}`" if "examples" in value else ""
    cells = (shown, _type(value), default, _meaning(name, value), example)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _meaning(name: str, schema: Schema) -> str:
    """The title, where somebody wrote one, then the description; a mapping's own text is above its own table."""
    if name == "kind" and "description" not in schema:
        return "Names this kind"
    if "properties" in schema:
        return "see below"
    title = schema.get("title", "")
    own = "" if title == name.replace("_", " ").title() else title
    said = schema.get("description", _resolved(schema.get("items", {})).get("description", ""))
    if "properties" in _resolved(schema.get("items", {})) and "description" not in schema:
        said = "see below"
    sentences = [" ".join(text.split()).rstrip(".") for text in (own, said) if text]
    return ". ".join(text[:1].upper() + text[1:] for text in sentences)


def _type(schema: Schema) -> str:
    """What the value is, for people, with its limits as the schema has them."""
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "items" in schema:
        return f"list{_span(schema, 'minItems', 'maxItems')} of {_type(_resolved(schema['items']))}"
    inner = _of_any_key(schema)
    if inner:
        return f"mapping from zone to {_type(_resolved(inner))}"
    if "properties" in schema or "oneOf" in schema:
        return "mapping"
    if schema["type"] == "string":
        return f"text{_span(schema, 'minLength', 'maxLength')}"
    if schema["type"] == "boolean":
        return "`true` or `false`"
    kind = "whole number" if schema["type"] == "integer" else "number"
    return kind + (" above 0" if "exclusiveMinimum" in schema else "") + _span(schema, "minimum", "maximum")


def _span(schema: Schema, least: str, most: str) -> str:
    """Limits in words; "" where there are none."""
    low, high = schema.get(least), schema.get(most)
    if low is not None and high is not None:
        return f" ({low} to {high})"
    return f" ({low} or more)" if low is not None else f" (at most {high})" if high is not None else ""


def main() -> int:
    """Write the document."""
    DOCUMENT.write_text(document(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
