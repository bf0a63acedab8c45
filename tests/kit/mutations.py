"""Spoils a text as accidents and attackers do: bytes lost, doubled, swapped, and what parsers stumble over put in."""

import random
import re

JUNK = (
    *(b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1", b"0", b"-0.0", b"1e-400", b"9" * 400, b"9" * 5000),
    *(
        b"[" * 3000,
        b"{" * 50,
        b'{"a":' * 2000,
        b"[" * 20 + b"]" * 20,
        b"- " * 40,
        b"? " * 20,
        b"&a [*a]",
        b"*a",
        b"!!int 1",
    ),
    *(b"null", b"true", b'"', b"'", b"\\", b"\\ud800", b"\n", b"\r\n", b"\t", b": ", b", ", b"{}", b"[]", b'""', b"~"),
    *(
        b"\x00",
        b"\xff",
        b"\xe2\x80\xa8",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"<html>",
        b"2020-13-45",
        b"010",
        b"0x_",
        b"1:30",
    ),
)
NUMBER = re.compile(rb"-?[0-9][0-9.]*")


def mutated(text: bytes, draw: random.Random) -> bytes:
    """`text` after one to three accidents."""
    for _ in range(draw.randint(1, 3)):
        text = draw.choice(ACCIDENTS)(text, draw)
    return text


def _span(text: bytes, draw: random.Random) -> tuple[int, int]:
    start = draw.randint(0, len(text))
    return start, min(len(text), start + draw.choice((1, 1, 2, 8, 40)))


def _lose(text: bytes, draw: random.Random) -> bytes:
    start, end = _span(text, draw)
    return text[:start] + text[end:]


def _double(text: bytes, draw: random.Random) -> bytes:
    start, end = _span(text, draw)
    return text[:end] + text[start:end] + text[end:]


def _put_in(text: bytes, draw: random.Random) -> bytes:
    start, end = _span(text, draw)
    return text[:start] + draw.choice(JUNK) + text[draw.choice((start, end)) :]


def _flip(text: bytes, draw: random.Random) -> bytes:
    start, end = _span(text, draw)
    return text[:start] + bytes(draw.randrange(256) for _ in range(end - start)) + text[end:]


def _renumber(text: bytes, draw: random.Random) -> bytes:
    found = list(NUMBER.finditer(text))
    if not found:
        return text
    one = draw.choice(found)
    return text[: one.start()] + draw.choice(JUNK[:10]) + text[one.end() :]


def _piece(text: bytes, draw: random.Random) -> bytes:
    """Double one member of an object or one line, so that a key is there twice; or swap two."""
    separator = draw.choice((b",", b"\n"))
    pieces = text.split(separator)
    one, other = draw.randrange(len(pieces)), draw.randrange(len(pieces))
    if draw.random() < 0.5:
        pieces.insert(other, pieces[one])
    else:
        pieces[one], pieces[other] = pieces[other], pieces[one]
    return separator.join(pieces)


def _cut(text: bytes, draw: random.Random) -> bytes:
    return text[: draw.randint(0, len(text))]


ACCIDENTS = (_lose, _double, _put_in, _put_in, _flip, _renumber, _renumber, _piece, _piece, _cut)
