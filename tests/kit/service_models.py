"""botocore's service models are read once per process instead of once per session.

For: tests/conftest.py. Every mocked AWS begins with a new boto3 session, and each session parses the models of the
services it uses again (EC2's are some megabytes of JSON): that is most of what such a test costs.
Guarantees: sessions share nothing else. Does not: change what a model says.
"""

from functools import cache

import botocore.session
from botocore.loaders import Loader, create_loader

_loader_of = cache(create_loader)


def read_once() -> None:
    """From now on sessions with the same search path share one loader, and so its cache."""

    def shared(search_path: str | None = None) -> Loader:
        return _loader_of(search_path)

    botocore.session.create_loader = shared
