"""The codec: typed both ways, every mistake with its path, and one error for whatever is thrown at it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest

from bootstrap.base import values
from bootstrap.base.codec import DEEPEST, LARGEST_TEXT, DecodeError, decode, decode_tree, encode, to_tree


@dataclass(frozen=True, kw_only=True)
class Port:
    number: int
    is_open: bool = False


@dataclass(frozen=True, kw_only=True)
class Web:
    kind: Literal["web"]
    url: str


@dataclass(frozen=True, kw_only=True)
class Shell:
    kind: Literal["shell"]
    argv: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Sample:
    name: str
    ratio: float
    level: Literal["low", "high", 3]
    port: Port
    ports: tuple[Port, ...] = ()
    until_s: float | None = None
    words: tuple[tuple[str, ...], ...] = ()
    check: Web | Shell | None = None
    spare: Port = field(default_factory=lambda: Port(number=1))


@dataclass(frozen=True, kw_only=True)
class Positive:
    number: int

    def __post_init__(self) -> None:
        if self.number <= 0:
            raise ValueError("must be positive")


@dataclass(frozen=True, kw_only=True)
class Host:
    host: values.Port


@dataclass(frozen=True, kw_only=True)
class Limited:
    few: tuple[Host, ...]
    none: Annotated[tuple[int, ...], values.Limits(says="Some", shortest=1)]
    maybe: values.Port | None = None


LEAST = Sample(name="a", ratio=0.5, level="low", port=Port(number=80))
FULL = Sample(
    name="Zoë \U0001f40e\n",
    ratio=2.0,
    level=3,
    port=Port(number=-1, is_open=True),
    ports=(Port(number=10**30), Port(number=0)),
    until_s=12.25,
    words=((), ("x", "")),
    check=Shell(kind="shell", argv=("true",)),
    spare=Port(number=2),
)


def tree(**changes: Any) -> dict[str, Any]:
    return {**to_tree(LEAST), **changes}


def refused(changed: object, **options: Any) -> tuple[str, ...]:
    with pytest.raises(DecodeError) as error:
        decode_tree(Sample, changed, unknown_keys="refuse", **options)
    return error.value.findings


@pytest.mark.parametrize("value", [LEAST, FULL])
def test_what_is_written_is_read_back_from_one_line_of_ascii(value: Sample) -> None:
    text = encode(value)
    assert text.isascii()
    assert "\n" not in text
    assert decode(Sample, text, unknown_keys="refuse") == value
    assert decode(Sample, text.encode(), unknown_keys="refuse") == value


def test_defaults_fill_in_what_is_missing() -> None:
    least = {"name": "a", "ratio": 0.5, "level": "low", "port": {"number": 80}}
    assert decode_tree(Sample, least, unknown_keys="refuse") == LEAST


def test_unknown_keys_are_refused_or_ignored_at_every_depth() -> None:
    newer = tree(colour="red", port={"number": 80, "speed": 9}, ports=[{"number": 1, "speed": 9}])
    assert refused(newer) == ("colour: unknown key", "port.speed: unknown key", "ports[0].speed: unknown key")
    assert decode_tree(Sample, newer, unknown_keys="ignore").ports == (Port(number=1),)


def test_every_mistake_is_reported_at_once_with_its_path() -> None:
    wrong = tree(name=7, level="middle", port={"is_open": "yes"}, words=[["x", 1], "y"], ports={}, until_s="later")
    assert refused(wrong) == (
        "name: must be a string, not an integer",
        "level: must be one of low, high, 3",
        "port.number: missing",
        "port.is_open: must be a boolean, not a string",
        "ports: must be a list, not an object",
        "until_s: must be a number, not a string",
        "words[0][1]: must be a string, not an integer",
        "words[1]: must be a list, not a string",
    )


@pytest.mark.parametrize("root", [None, [], "text", 1, True])
def test_the_root_must_be_an_object(root: object) -> None:
    assert refused(root)[0].startswith("must be an object, not ")


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"port": {"number": True}}, "port.number: must be an integer, not a boolean"),
        ({"port": {"number": 1.0}}, "port.number: must be an integer, not a number"),
        ({"port": {"number": "1"}}, "port.number: must be an integer, not a string"),
        ({"port": {"number": None}}, "port.number: must be an integer, not null"),
        ({"port": {"number": 1, "is_open": 1}}, "port.is_open: must be a boolean, not an integer"),
        ({"port": None}, "port: must be an object, not null"),
        ({"ratio": True}, "ratio: must be a number, not a boolean"),
        ({"ratio": float("nan")}, "ratio: must be a finite number"),
        ({"ratio": float("-inf")}, "ratio: must be a finite number"),
        ({"ratio": 10**400}, "ratio: must be a smaller number"),
        ({"until_s": float("inf")}, "until_s: must be a finite number"),
        ({"level": True}, "level: must be one of low, high, 3"),
        ({"level": 3.0}, "level: must be one of low, high, 3"),
        ({"level": ["low"]}, "level: must be one of low, high, 3"),
        ({"name": "\ud800"}, "name: must be text, not half of a surrogate pair"),
        ({"check": {"kind": "web"}}, "check.url: missing"),
        ({"check": {"kind": "post", "url": "x"}}, "check.kind: must be one of web, shell"),
        ({"check": {"url": "x"}}, "check.kind: must be one of web, shell"),
        ({"check": []}, "check: must be an object, not a list"),
        ({"check": {"kind": "web", "url": "x", "argv": []}}, "check.argv: unknown key"),
        ({"k" * 500: 1}, "k" * 80 + "...: unknown key"),
    ],
)
def test_nothing_is_converted_or_guessed(change: dict[str, Any], finding: str) -> None:
    assert refused(tree(**change)) == (finding,)


def test_an_integer_is_a_float_where_one_is_declared() -> None:
    value = decode_tree(Sample, tree(ratio=2, until_s=3), unknown_keys="refuse")
    assert (value.ratio, value.until_s) == (2.0, 3.0)
    assert (type(value.ratio), type(value.until_s)) == (float, float)


@pytest.mark.parametrize("name", ["check", "until_s"])
def test_null_is_accepted_only_where_it_is_declared(name: str) -> None:
    assert decode_tree(Sample, tree(**{name: None}), unknown_keys="refuse") == LEAST
    assert refused(tree(words=None)) == ("words: must be a list, not null",)


def test_a_dataclass_that_refuses_its_own_values_gives_a_finding() -> None:
    with pytest.raises(DecodeError, match=r"^must be positive$"):
        decode(Positive, '{"number": 0}', unknown_keys="refuse")


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("", "the text is not JSON"),
        ("{", "the text is not JSON"),
        (b"\xff\xfe\xfd", "the text is not JSON"),
        (b"", "the text is not JSON"),
        ('{"number": ' + "9" * 5000 + "}", "the text is not JSON"),
        ("x" * 10_000_000, f"the text is longer than {LARGEST_TEXT} characters"),
        (b" " * 10_000_000, f"the text is longer than {LARGEST_TEXT} bytes"),
        ("[" * 60_000, "the text is nested too deeply"),
        ('{"a":' * 12_000, "the text is nested too deeply"),
        ('{"number": 1, "more": ' + "[" * DEEPEST + "]" * DEEPEST + "}", f"nested deeper than {DEEPEST} levels"),
        ('{"number": 1, "number": 2}', "the key number is given twice"),
        ('{"number": 1, "more": [{"a": 1, "b": 2, "a": 1}]}', "the key a is given twice"),
        ('{"number": 1}'.encode("utf-16"), "the text is not JSON"),
        ('{"number": 1e999}', "number: must be an integer, not a number"),
        ('{"number": NaN}', "number: must be an integer, not a number"),
    ],
)
@pytest.mark.parametrize("unknown_keys", ["refuse", "ignore"])
def test_whatever_the_text_is_there_is_one_error(
    text: str | bytes, finding: str, unknown_keys: Literal["refuse", "ignore"]
) -> None:
    with pytest.raises(DecodeError) as error:
        decode(Port, text, unknown_keys=unknown_keys)
    assert error.value.findings[-1].startswith(finding)
    assert isinstance(error.value, ValueError)


def test_a_value_outside_the_limits_of_its_type_is_a_finding_with_its_path() -> None:
    with pytest.raises(DecodeError) as error:
        decode_tree(Limited, {"few": [{"host": 1}, {"host": 0}], "none": [], "maybe": 70000}, unknown_keys="refuse")
    assert error.value.findings == (
        "few[1].host: is 0; expected: A port from 1 to 65535",
        "none: has length 0; expected: Some",
        "maybe: is 70000; expected: A port from 1 to 65535",
    )
    assert decode_tree(Limited, {"few": [], "none": [1]}, unknown_keys="refuse") == Limited(few=(), none=(1,))


def test_the_limits_are_exact() -> None:
    text = '{"number": 1}'
    assert decode(Port, text, unknown_keys="refuse", largest=len(text)) == Port(number=1)
    with pytest.raises(DecodeError, match="longer than 12"):
        decode(Port, text, unknown_keys="refuse", largest=len(text) - 1)
    deep: Any = []
    for _ in range(DEEPEST - 2):
        deep = [deep]
    assert decode_tree(Port, {"number": 1, "more": deep}, unknown_keys="ignore") == Port(number=1)
    with pytest.raises(DecodeError, match="nested deeper"):
        decode_tree(Port, {"number": 1, "more": [deep]}, unknown_keys="ignore")


def test_every_prefix_of_a_text_is_refused() -> None:
    text = encode(FULL)
    for length in range(len(text)):
        with pytest.raises(DecodeError):
            decode(Sample, text[:length], unknown_keys="ignore")


def test_values_that_are_not_json_are_not_written() -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        encode(Sample(name="a", ratio=float("inf"), level="low", port=Port(number=1)))


@dataclass(frozen=True)
class Unsupported:
    names: list[str]


@dataclass(frozen=True)
class Untagged:
    either: Port | Positive


@pytest.mark.parametrize("kind", [Unsupported, Untagged])
def test_a_type_the_codec_cannot_read_is_a_defect_of_the_program(kind: type) -> None:
    with pytest.raises(TypeError, match="the codec "):
        decode_tree(kind, {}, unknown_keys="refuse")


@dataclass(frozen=True, kw_only=True)
class Shape:
    kind: str


@dataclass(frozen=True, kw_only=True)
class Circle(Shape):
    kind: Literal["circle"] = "circle"
    radius: float


@dataclass(frozen=True, kw_only=True)
class Square(Shape):
    kind: Literal["square"] = "square"
    side: float


@dataclass(frozen=True, kw_only=True)
class Drawing:
    shapes: tuple[Shape, ...]


def test_a_class_with_members_is_read_as_the_one_its_kind_names() -> None:
    tree = {"shapes": [{"kind": "circle", "radius": 1}, {"kind": "square", "side": 2}]}
    drawing = decode_tree(Drawing, tree, unknown_keys="refuse", members={Shape: (Circle, Square)})
    assert drawing == Drawing(shapes=(Circle(radius=1.0), Square(side=2.0)))
    assert to_tree(drawing) == tree


def test_a_kind_that_is_no_member_is_refused_with_those_that_are() -> None:
    tree = {"shapes": [{"kind": "square", "side": 2}, {"kind": "circle", "side": 2}, {}]}
    with pytest.raises(DecodeError) as error:
        decode_tree(Drawing, tree, unknown_keys="refuse", members={Shape: (Circle,)})
    assert error.value.findings == (
        "shapes[0].kind: must be one of circle",
        "shapes[1].side: unknown key",
        "shapes[1].radius: missing",
        "shapes[2].kind: must be one of circle",
    )
