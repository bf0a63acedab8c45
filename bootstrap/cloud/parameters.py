"""One parameter of Systems Manager. Thin: two calls; every error is a CloudError.

For: run.report, which keeps the instance's state in one, and run.site, which reads the stack's.
Does not: know what the value means.
Source: Systems Manager API reference GetParameter, PutParameter.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from bootstrap.base.errors import CloudError
from bootstrap.cloud.clients import Clients, converted


class Parameter:
    """One parameter of type String."""

    def __init__(self, clients: Clients, name: str) -> None:
        self._clients = clients
        self._name = name

    def read(self) -> str:
        """The value, "" where there is no such parameter. Raises CloudError."""
        try:
            with converted(f"read parameter {self._name}"):
                return str(self._clients.ssm().get_parameter(Name=self._name)["Parameter"]["Value"])
        except CloudError as error:
            if error.code == "ParameterNotFound":
                return ""
            raise

    def read_with_age(self) -> tuple[str, float]:
        """The value, and the seconds since it was written, both by AWS's clock; ("", 0) where there is none. Raises
        CloudError. The time of the answer is its header Date (RFC 9110, 6.6.1)."""
        try:
            with converted(f"read parameter {self._name}"):
                answer = self._clients.ssm().get_parameter(Name=self._name)
        except CloudError as error:
            if error.code == "ParameterNotFound":
                return "", 0.0
            raise
        written, now = (
            answer["Parameter"]["LastModifiedDate"],
            answer["ResponseMetadata"]["HTTPHeaders"].get("date", ""),
        )
        try:
            age_s = (parsedate_to_datetime(now) - written).total_seconds()
        except (TypeError, ValueError):
            raise CloudError(
                f"read parameter {self._name}: no date in the answer", code="NoDate", retryable=True
            ) from None
        return str(answer["Parameter"]["Value"]), max(0.0, age_s)

    def read_secret(self) -> str:
        """The value of a SecureString, decrypted. Raises CloudError, also where there is no such parameter."""
        with converted(f"read parameter {self._name}"):
            answer = self._clients.ssm().get_parameter(Name=self._name, WithDecryption=True)
        return str(answer["Parameter"]["Value"])

    def write(self, text: str) -> None:
        """Replace the value. Raises CloudError."""
        with converted(f"write parameter {self._name}"):
            self._clients.ssm().put_parameter(Name=self._name, Value=text, Type="String", Overwrite=True)
