"""The lab's namespace: made without root, and one clear line with the remedy where it cannot be made."""

import subprocess
from typing import Any

import pytest

from lab.base.errors import LabPreconditionError
from lab.hardware import namespace

CLONE = "/proc/sys/kernel/unprivileged_userns_clone"
APPARMOR = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
MAXIMUM = "/proc/sys/user/max_user_namespaces"
ALL_ALLOWED = {CLONE: "1", APPARMOR: "0", MAXIMUM: "31000"}


class Host:
    """A computer on which `unshare` ends as told; keeps what was run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ran: list[list[str]] = []
        self.code, self.error, self.hangs = 0, "", False
        self.missing: set[str] = set()
        self.switches = dict(ALL_ALLOWED)
        monkeypatch.delenv(namespace.MARK, raising=False)
        monkeypatch.setattr("shutil.which", lambda tool: None if tool in self.missing else f"/usr/bin/{tool}")
        monkeypatch.setattr("subprocess.run", self._run)
        monkeypatch.setattr(namespace, "_sysctl", lambda path: self.switches.get(path, ""))

    def _run(self, argv: list[str], *, timeout: float, **_options: Any) -> subprocess.CompletedProcess[str]:
        assert timeout <= 10.0
        self.ran.append(list(argv))
        if self.hangs:
            raise subprocess.TimeoutExpired(argv, timeout)
        return subprocess.CompletedProcess(argv, self.code, "", self.error)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


def test_the_namespace_needs_no_root_and_takes_everything_along_when_it_ends(host: Host) -> None:
    namespace.check()
    ((tool, *options, program),) = host.ran
    assert (tool, program) == ("unshare", "true")
    assert {"--user", "--map-root-user"} <= set(options), "root inside, whoever started it"
    assert {"--net", "--pid", "--fork", "--kill-child", "--mount-proc"} <= set(options)
    assert namespace.TIED_TO_PARENT == ("setpriv", "--pdeathsig", "KILL")


@pytest.mark.parametrize(
    ("switch", "value", "remedy"),
    [
        (CLONE, "0", "allow them with `sysctl kernel.unprivileged_userns_clone=1` as root"),
        (APPARMOR, "1", "allow them with `sysctl kernel.apparmor_restrict_unprivileged_userns=0` as root"),
        (MAXIMUM, "0", "allow them with `sysctl user.max_user_namespaces=10000` as root"),
        (MAXIMUM, "31000", "in a container, start it with --privileged or a seccomp profile that allows unshare"),
    ],
)
def test_where_the_kernel_refuses_the_switch_to_turn_is_named(host: Host, switch: str, value: str, remedy: str) -> None:
    host.code, host.error = 1, "unshare: unshare failed: Operation not permitted\n"
    host.switches[switch] = value
    with pytest.raises(LabPreconditionError) as caught:
        namespace.check()
    assert str(caught.value) == (
        f"no user namespaces here (unshare: unshare failed: Operation not permitted): {remedy}"
    )
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("tool", ["unshare", "setpriv"])
def test_a_missing_tool_is_named_with_its_package_and_nothing_is_run(host: Host, tool: str) -> None:
    host.missing = {tool}
    with pytest.raises(LabPreconditionError, match=f"^{tool} is missing: apt-get install util-linux$"):
        namespace.check()
    assert host.ran == []


def test_a_kernel_that_does_not_answer_is_not_waited_for(host: Host) -> None:
    host.hangs = True
    with pytest.raises(LabPreconditionError, match="did not end within 10"):
        namespace.check()


def test_the_command_says_it_in_one_line_and_starts_nothing(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    host.code, host.error = 1, "unshare: refused"
    monkeypatch.setattr("subprocess.Popen", lambda *_argv, **_options: pytest.fail("started without a namespace"))
    assert namespace.main(["--", "true"]) == 4
    assert capsys.readouterr().err.splitlines() == [
        "lab: no user namespaces here (unshare: refused): "
        "in a container, start it with --privileged or a seccomp profile that allows unshare"
    ]


def test_inside_none_is_made_again(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(namespace.MARK, "1")
    namespace.enter(["true"])
    assert host.ran == []
