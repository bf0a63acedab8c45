"""Cuts botocore's models of AWS down to the operations that the agent names: `python trim_botocore.py AGENT_SOURCE`.

For: ami/install.sh, on the image's own Python. botocore reads the whole model of a service for its first client; that
of EC2 takes 23 MB of memory and a fifth of the processor time of a boot. Guarantees: an operation whose Python name
stands anywhere in the agent's source is kept, with all shapes that it needs; a service of which the agent names no
operation is removed; run again, it changes nothing.
Does not: bring back what an earlier run cut away, touch endpoints, retry rules or botocore's code, or keep a second
version of a service's API.
Source: botocore's loaders (botocore/loaders.py: DATA/SERVICE/API_VERSION/service-2.json.gz).
"""

import gzip
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore
from botocore import xform_name

SERVICES = ("ec2", "autoscaling", "route53", "ssm", "sns", "cloudwatch", "logs")
MODEL = "service-2.json.gz"


def main() -> int:
    """Trim the models of the botocore that this Python imports. The exit code: 1 where one is not as expected."""
    names = names_of(Path(sys.argv[1]))
    try:
        trim(Path(botocore.__file__).parent / "data", names)
    except TrimError as error:
        print(f"trim_botocore.py: {error}", file=sys.stderr)
        return 1
    return 0


class TrimError(Exception):
    """botocore's data are not what this knows."""


def names_of(source: Path) -> frozenset[str]:
    """All words in the Python files below `source` that may be the name of an operation."""
    words: set[str] = set()
    for file in source.rglob("*.py"):
        words.update(re.findall(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+|[a-z]+", file.read_text(encoding="utf-8")))
    return frozenset(words)


def trim(data: Path, names: frozenset[str]) -> None:
    """Raises TrimError."""
    for service in (entry for entry in data.iterdir() if entry.is_dir()):
        if service.name not in SERVICES:
            shutil.rmtree(service)
    for name in SERVICES:
        models = sorted((data / name).glob(f"*/{MODEL}"))
        if not models:
            raise TrimError(f"there is no {name}/*/{MODEL} below {data}: does this botocore keep its models elsewhere?")
        *older, newest = models
        for model in older:
            shutil.rmtree(model.parent)
        kept = trimmed(json.loads(gzip.decompress(newest.read_bytes())), names)
        if not kept["operations"]:
            raise TrimError(f"the agent names no operation of {name}: take it out of SERVICES")
        newest.write_bytes(gzip.compress(json.dumps(kept).encode(), mtime=0))


def trimmed(model: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """`model` with the operations of `names`, the shapes below them, and no documentation. Pure."""
    operations = {name: each for name, each in model["operations"].items() if xform_name(name) in names}
    shapes: dict[str, Any] = {}
    waiting = list(_shapes(operations))
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            waiting += _shapes(shapes[name])
    bare: dict[str, Any] = _without_documentation({**model, "operations": operations, "shapes": shapes})
    return bare


def _shapes(node: Any) -> Iterator[str]:
    """The names of all shapes that `node` refers to."""
    if isinstance(node, dict):
        if isinstance(node.get("shape"), str):
            yield node["shape"]
        for each in node.values():
            yield from _shapes(each)
    elif isinstance(node, list):
        for each in node:
            yield from _shapes(each)


def _without_documentation(node: Any) -> Any:
    if isinstance(node, dict):
        bare = ((key, each) for key, each in node.items() if key != "documentation" or not isinstance(each, str))
        return {key: _without_documentation(each) for key, each in bare}
    return [_without_documentation(each) for each in node] if isinstance(node, list) else node


if __name__ == "__main__":
    sys.exit(main())
