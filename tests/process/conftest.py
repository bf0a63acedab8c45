"""The surroundings of one agent, and a certificate."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.surroundings import Surroundings, open_surroundings


@pytest.fixture
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Surroundings]:
    with open_surroundings(tmp_path, monkeypatch) as here:
        yield here


@pytest.fixture(scope="session")
def tls_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and private key of 127.0.0.1 and build.example.com in one file."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    argv += ["-subj", "/CN=demo", "-addext", "subjectAltName=IP:127.0.0.1,DNS:build.example.com"]
    argv += ["-keyout", "-", "-out", "-"]
    path.write_bytes(subprocess.run(argv, check=True, capture_output=True).stdout)
    return path
