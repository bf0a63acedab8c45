"""The units as systemd reads them fit what the agent does: when it says READY, which exit codes it ends in."""

from __future__ import annotations

import configparser
import re
import socket
from pathlib import Path

import pytest

from bootstrap.base.errors import AgentError, ExitCode
from bootstrap.machine.systemd import ServiceNotifier

REPOSITORY = Path(__file__).resolve().parents[4]
DOCUMENTED = (REPOSITORY / "docs" / "exit-codes.md").read_text()
CODE_ROW = re.compile(r"^\| (\d+) \| ([A-Z_]+) \|.*\| ([a-z]+)(?:: [^|]*)? \|$", re.MULTILINE)
REASON_ROW = re.compile(r"^\| `([a-z-]+)` \| ([\d or]+) \|", re.MULTILINE)


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((REPOSITORY / "ami" / "units" / name).read_text())
    return parser


AGENT, FENCE = unit("soloist-agent.service"), unit("soloist-fence.service")


def test_systemd_waits_for_the_agents_own_word_and_for_nobody_elses() -> None:
    assert {key: AGENT["Service"][key] for key in ("Type", "NotifyAccess", "ExecStart", "KillMode")} == {
        "Type": "notify",
        "NotifyAccess": "main",
        "ExecStart": "/opt/soloist/venv/bin/python -m bootstrap",
        "KillMode": "mixed",
    }
    assert ServiceNotifier("").ready("x") is False


def test_agent_starts_after_network_names_and_fence_and_with_the_machine() -> None:
    assert set(AGENT["Unit"]["After"].split()) == {
        "network-online.target",
        "nss-lookup.target",
        "remote-fs-pre.target",
        "remote-fs.target",
        "soloist-fence.service",
    }
    assert set(AGENT["Unit"]["Wants"].split()) == {"network-online.target", "soloist-fence.service"}
    assert AGENT["Install"]["WantedBy"] == FENCE["Install"]["WantedBy"] == "multi-user.target"
    assert "soloist-agent.service" in FENCE["Unit"]["Before"].split()
    assert FENCE["Unit"]["DefaultDependencies"] == "no"
    assert (FENCE["Service"]["Restart"], FENCE["Service"]["Type"]) == ("always", "exec")


def test_neither_unit_starts_a_unit_of_a_service() -> None:
    own = {"soloist-agent.service", "soloist-fence.service", "network-online.target"}
    for section in (AGENT["Unit"], FENCE["Unit"]):
        for key in ("Wants", "Requires", "BindsTo", "Upholds"):
            assert set(section.get(key, "").split()) <= own


def test_nothing_hides_the_agents_mounts_from_the_service() -> None:
    hiding = ("Private", "Protect", "ReadOnly", "ReadWrite", "Inaccessible", "MountFlags", "RootDirectory", "Temporary")
    for section in (AGENT["Service"], FENCE["Service"]):
        assert [key for key in section if key.startswith(hiding)] == []


def test_systemd_restarts_the_agent_after_exactly_the_codes_that_are_documented() -> None:
    rows = {name: (int(code), is_restarted) for code, name, is_restarted in CODE_ROW.findall(DOCUMENTED)}
    assert {name: code for name, (code, _) in rows.items()} == {code.name: code.value for code in ExitCode}
    final = {code for code, is_restarted in rows.values() if is_restarted == "no"}
    assert AGENT["Service"]["Restart"] == "on-failure"
    assert {int(code) for code in AGENT["Service"]["RestartPreventExitStatus"].split()} == final
    assert ExitCode.OK in final
    assert {ExitCode.DEFECT, ExitCode.SURROUNDINGS, ExitCode.LEASE_LOST}.isdisjoint(final)


def kinds(root: type[AgentError] = AgentError) -> list[type[AgentError]]:
    return [root, *(kind for child in root.__subclasses__() for kind in kinds(child))]


def named() -> dict[type[AgentError], str]:
    """Every error of the agent that has a word of its own; the others carry their cause's or the rules' word."""
    import bootstrap.run.agent  # noqa: F401  # so that every module's own errors are known

    return {kind: kind.reason for kind in kinds() if "reason" in vars(kind)}


def test_every_error_has_a_word_of_its_own() -> None:
    words = list(named().values())
    assert sorted(words) == sorted(set(words))
    assert len(words) >= 13


@pytest.mark.parametrize("kind", named(), ids=lambda kind: kind.__name__)
def test_every_error_is_documented_with_the_code_it_ends_in(kind: type[AgentError]) -> None:
    rows = dict(REASON_ROW.findall(DOCUMENTED))
    assert kind.reason in rows, f"docs/exit-codes.md has no row for {kind.reason}"
    assert str(int(kind.exit_code)) in rows[kind.reason].split(" or ")
    assert kind.exit_code is not ExitCode.OK


@pytest.mark.parametrize("is_abstract", [False, True])
def test_notifier_reaches_both_kinds_of_socket(tmp_path: Path, *, is_abstract: bool) -> None:
    address = f"@soloist-test-{tmp_path.name}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind("\0" + address[1:] if is_abstract else address)
        channel.settimeout(5)
        assert ServiceNotifier(address).ready("two\nlines")
        assert channel.recv(1000) == b"READY=1\nSTATUS=two lines"


def test_notifier_without_a_listener_is_silent(tmp_path: Path) -> None:
    assert not ServiceNotifier("").ready("x")
    assert not ServiceNotifier(str(tmp_path / "nobody")).ready("x")
