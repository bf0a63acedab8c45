"""The units that the image ships, as systemd reads them, and the errors that an agent may end in."""

import configparser
from pathlib import Path

from bootstrap.base.errors import AgentError

UNITS = Path(__file__).resolve().parents[2] / "ami" / "units"


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((UNITS / name).read_text())
    return parser


def final_codes() -> set[int]:
    """The exit codes after which systemd does not start the agent again."""
    return {int(code) for code in unit("soloist-agent.service")["Service"]["RestartPreventExitStatus"].split()}


def error_kinds(root: type[AgentError] = AgentError) -> list[type[AgentError]]:
    return [root, *(kind for child in root.__subclasses__() for kind in error_kinds(child))]
