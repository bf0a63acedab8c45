"""Instance types: the architecture that a name stands for, and lists that one image cannot fit."""

import gzip
import json
from pathlib import Path

import moto
import pytest

from services.instance import Instance, architecture_of, type_findings

TYPES = Path(str(moto.__file__)).parent / "ec2" / "resources" / "instance_types.json.gz"  # as AWS described them


def test_the_architecture_of_every_type_is_known_from_its_name() -> None:
    described = json.loads(gzip.decompress(TYPES.read_bytes()))
    assert len(described) > 500
    wrong = {
        name: one["ProcessorInfo"]["SupportedArchitectures"]
        for name, one in described.items()
        if not name.startswith("mac") and architecture_of(name) not in one["ProcessorInfo"]["SupportedArchitectures"]
    }
    assert wrong == {}


@pytest.mark.parametrize(
    ("fallbacks", "said"),
    [
        (("m6i.large", "m5.large"), []),
        (("m7g.large",), ["arm64, while m7i.large is x86_64: no image fits both"]),
        (("m6i.large", "m7i.large"), ["named twice"]),
        (("m6i.large", "c8gn.large", "m6i.large"), ["arm64", "named twice"]),
    ],
)
def test_a_list_that_one_image_cannot_fit_is_found(fallbacks: tuple[str, ...], said: list[str]) -> None:
    found = list(type_findings(Instance(type="m7i.large", ami="ami-0123456789abcdef0", fallback_types=fallbacks)))
    assert len(found) == len(said)
    assert all(words in one.problem for words, one in zip(said, found, strict=True))


def test_the_preferred_type_is_the_first() -> None:
    instance = Instance(type="m7i.large", ami="ami-0123456789abcdef0", fallback_types=("m6i.large",))
    assert instance.types == ("m7i.large", "m6i.large")
