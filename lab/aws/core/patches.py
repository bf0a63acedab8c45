"""The registry of everything this package changes inside moto.

For: each patch is declared once, next to its replacement, with its target, the signature it expects there and the
reason. `apply` puts all of them in place, `revert` takes them out again, `verify` says what a moto upgrade has broken.
Guarantees: nothing of moto is changed outside this registry; applying twice is the same as once; after `revert` moto is
as it was. Does not: judge behaviour; tests/contract does.
"""

import importlib
import importlib.metadata
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

MOTO_VERSION = "5.2.5"
PROPERTY = "<property>"
ABSENT = "<absent>"

_Replacement = TypeVar("_Replacement")
_MISSING = object()


@dataclass(frozen=True, kw_only=True)
class Patch:
    """One changed symbol. `target` is `module:Class.attribute`; `expects` names the parameters of the original."""

    target: str
    expects: str
    reason: str
    replacement: Any


_declared: dict[str, Patch] = {}
_originals: dict[str, Any] = {}


def replaces(target: str, *, reason: str, expects: str = "self") -> Callable[[_Replacement], _Replacement]:
    """Declare the decorated function or property as replacement of `target`.

    `expects` names the parameters that the original has in the pinned moto, such as "self, name"; it is `PROPERTY` for
    a property, `ABSENT` for something moto does not have. Raises ValueError when the target is declared twice.
    """

    def declare(replacement: _Replacement) -> _Replacement:
        if target in _declared:
            raise ValueError(f"{target} is patched twice")
        _declared[target] = Patch(target=target, expects=expects, reason=reason, replacement=replacement)
        return replacement

    return declare


def declared() -> list[Patch]:
    """All patches, in order of declaration."""
    return list(_declared.values())


def original(target: str) -> Any:
    """What stood at `target` before `apply`; a property is returned as the property object."""
    if target in _originals:
        return _originals[target]
    owner, name = _locate(target)
    return inspect.getattr_static(owner, name)


def _locate(target: str) -> tuple[Any, str]:
    module_name, _, path = target.partition(":")
    owner: Any = importlib.import_module(module_name)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    return owner, name


def _signature_of(target: str) -> str:
    owner, name = _locate(target)
    found = _originals[target] if target in _originals else inspect.getattr_static(owner, name, _MISSING)
    if found is _MISSING:
        return ABSENT
    if isinstance(found, property):
        return PROPERTY
    function = found.__func__ if isinstance(found, classmethod | staticmethod) else found
    return ", ".join(inspect.signature(function).parameters)


def verify() -> list[str]:
    """One sentence for each patch that does not fit the installed moto."""
    findings = []
    installed = importlib.metadata.version("moto")
    if installed != MOTO_VERSION:
        findings.append(
            f"moto {installed} is installed but the patches are written for {MOTO_VERSION}: install that one"
        )
    for patch in declared():
        try:
            found = _signature_of(patch.target)
        except (ImportError, AttributeError) as error:
            findings.append(f"{patch.target} is gone ({error}); needed because {patch.reason}")
            continue
        if found != patch.expects:
            findings.append(
                f"{patch.target} takes ({found}), expected ({patch.expects}); needed because {patch.reason}"
            )
    return findings


def apply() -> None:
    """Put every declared patch in place. Applying twice is the same as once."""
    for patch in declared():
        if patch.target in _originals:
            continue
        owner, name = _locate(patch.target)
        own = vars(owner)
        _originals[patch.target] = own[name] if name in own else inspect.getattr_static(owner, name, _MISSING)
        setattr(owner, name, patch.replacement)


def revert() -> None:
    for target, found in list(_originals.items()):
        owner, name = _locate(target)
        if found is _MISSING:
            delattr(owner, name)
        else:
            setattr(owner, name, found)
        del _originals[target]
