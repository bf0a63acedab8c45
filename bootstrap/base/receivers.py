"""Receivers of messages as the boot document names them.

For: bootstrap.base.document and run.telling. Guarantees: pure. Does not: send anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from bootstrap.base.values import OptionalPath, Url


@dataclass(frozen=True, kw_only=True)
class WebhookSettings:
    """One receiver by HTTP. `secret_parameter`: of Systems Manager, with the secret that signs, "" for none."""

    url: Url
    secret_parameter: OptionalPath = ""
