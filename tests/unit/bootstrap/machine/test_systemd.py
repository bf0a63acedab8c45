"""The units as systemd reads them fit what the agent does: when it says READY, which exit codes it ends in."""

import re
import socket
from pathlib import Path

import pytest

from bootstrap.base.errors import (
    AgentError,
    ExitCode,
    HeartbeatNotSent,
    LogNotSent,
    MessageNotSent,
    RecordOfAnotherKind,
    StateNotWritten,
)
from bootstrap.machine.systemd import ServiceNotifier
from bootstrap.run.maintenance import InMaintenance
from tests.kit.agent_unit import error_kinds, final_codes, unit

REPOSITORY = Path(__file__).resolve().parents[4]
DOCUMENTED = (REPOSITORY / "docs" / "runbook.md").read_text()
CODE_ROW = re.compile(r"^\| (\d+) \| ([A-Z_]+) \|.*\| ([a-z]+)(?:: [^|]*)? \|$", re.MULTILINE)
REASON_ROW = re.compile(r"^\| `([a-z-]+)` \| ([\d or]+) \|", re.MULTILINE)


AGENT, FENCE = unit("soloist-agent.service"), unit("soloist-fence.service")


def test_systemd_waits_for_the_agents_own_word_and_for_nobody_elses() -> None:
    assert {key: AGENT["Service"][key] for key in ("Type", "NotifyAccess", "ExecStart", "KillMode")} == {
        "Type": "notify",
        "NotifyAccess": "main",
        "ExecStart": "/opt/soloist/venv/bin/python -m bootstrap",
        "KillMode": "mixed",
    }


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
    assert FENCE["Service"]["Type"] == "exec"
    assert (FENCE["Service"]["Restart"], FENCE["Unit"]["StartLimitIntervalSec"]) == ("always", "0"), "however often"


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
    assert final_codes() == final
    assert ExitCode.OK in final
    assert {ExitCode.DEFECT, ExitCode.SURROUNDINGS, ExitCode.NOT_TOLD}.isdisjoint(final)


def test_a_busy_machine_leaves_the_agent_what_it_needs() -> None:
    """Four loops at nice -15 starved it until the fence struck."""
    service = AGENT["Service"]
    assert (service["CPUWeight"], service["IOWeight"], service["Nice"]) == ("10000", "10000", "-15")
    assert int(service["OOMScoreAdjust"]) < 0
    assert service["MemoryMin"].endswith("M")


def test_a_final_code_is_nobody_elses() -> None:
    """An agent that cannot be imported ends with Python's 1. As a final code, that left a service down for good."""
    others = {1, 2, 120} | set(range(64, 79)) | {126, 127} | set(range(128, 193)) | set(range(200, 246))
    assert {code.value for code in ExitCode if code is not ExitCode.OK}.isdisjoint(others)


def named() -> dict[type[AgentError], str]:
    """Every error of the agent that has a word of its own; the others carry their cause's or the rules' word."""
    import bootstrap.run.agent  # noqa: F401  # so that every module's own errors are known

    return {kind: kind.reason for kind in error_kinds() if "reason" in vars(kind)}


def test_every_error_has_a_word_of_its_own() -> None:
    words = list(named().values())
    assert sorted(words) == sorted(set(words))
    assert len(words) >= 13


# Told while the instance goes on, and so no end.
ONLY_TROUBLES = (RecordOfAnotherKind, InMaintenance, HeartbeatNotSent, LogNotSent, StateNotWritten, MessageNotSent)


@pytest.mark.parametrize("kind", named(), ids=lambda kind: kind.__name__)
def test_every_error_is_documented_with_the_code_it_ends_in(kind: type[AgentError]) -> None:
    rows = dict(REASON_ROW.findall(DOCUMENTED))
    assert kind.reason in rows, f"docs/runbook.md has no row for {kind.reason}"
    code = ExitCode.OK if kind in ONLY_TROUBLES else kind.exit_code
    assert str(int(code)) in rows[kind.reason].split(" or ")
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
    for address in ("", str(tmp_path / "nobody")):
        assert ServiceNotifier(address).ready("x") is False
