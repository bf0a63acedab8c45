"""Receivers of the agent's messages by HTTP.

For: services.spec. Guarantees: HTTPS only, because a message names addresses and reasons; the secret is in a parameter
of Systems Manager and never in the service file. Does not: ask the receiver whether it is there.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from bootstrap.base.values import Url
from services.derived import From
from services.fields import ParameterName
from services.part import Part


def _https(url: str) -> str:
    if not url.startswith("https:"):
        raise ValueError("not https: messages name addresses and reasons")
    return url


class Webhook(Part):
    """Each message as JSON, signed as Standard Webhooks says (`webhook-signature`), tried again for a day."""

    url: Annotated[str, From(Url), AfterValidator(_https), Field(title="Where messages are posted, by https")]
    secret_parameter: Annotated[
        ParameterName | None,
        Field(description="A SecureString parameter with `whsec_` and at least 24 bytes in base64; none: not signed"),
    ] = None

    def settings(self) -> dict[str, str]:
        """The fields of the boot document's WebhookSettings."""
        return {"url": self.url, "secret_parameter": self.secret_parameter or ""}
