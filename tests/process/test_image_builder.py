"""install.sh checks everything before it changes anything, and refuses a machine that is not a fresh builder.

Only its checks run here, each with functions that note that they were called.
"""

from pathlib import Path

import pytest

from tests.kit.image_shell import AMI, INSTALL, function, sh

FAIL = 'fail() { echo "install.sh: $1" >&2; exit 1; }\n'
GIVEN = {
    "SERVICE": "demo",
    "UNITS": "demo.service",
    "DIRECTORIES": "/var/lib/demo",
    "VERSION": "1",
    "STEPS": "packages python agent",
    "AGENT_SOURCE": str(AMI.parent / "bootstrap"),
    "WHEELS": str(AMI),
    "EFS_UTILS": "",
    "TRANSPORT": "nfs",
    "SYSTEM_NAME": "Pebble 3",
}


def ran(script: str, cwd: Path = AMI, **environment: str) -> tuple[int, str]:
    """Exit code, and what was printed on standard error or, without an error, on standard output."""
    done = sh(script, cwd=cwd, **environment)
    return done.returncode, done.stderr.strip() if done.returncode else done.stdout.strip()


def check(then: str = "", cwd: Path = AMI, **changed: str) -> tuple[int, str]:
    """What check_arguments says, and `then` after it; the checks of the machine only print their names."""
    given = "system_has_package() { return 1; }\n" + "".join(
        f"{name}='{value}'\n" for name, value in {**GIVEN, **changed}.items()
    )
    others = "\n".join(f"{name}() {{ echo {name}; }}" for name in ("read_system", "check_builder", "system_check"))
    shipped = "\n".join(map(function, ("check_directory", "check_arguments")))
    checks = f"{FAIL}{given}{others}\n{shipped}\ncheck_arguments\n"
    return ran(f"HERE={AMI}\nid() {{ echo 0; }}\n{checks}{then}", cwd)


def test_good_options_are_followed_by_the_checks_of_system_and_machine() -> None:
    assert check() == (0, "read_system\ncheck_builder\nsystem_check")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SERVICE", "", "--service is missing"),
        ("SERVICE", "De mo", "only lower case letters"),
        ("UNITS", "", "--units is missing"),
        ("DIRECTORIES", "", "--directories is missing"),
        ("DIRECTORIES", "var/lib/demo", "var/lib/demo is not an absolute path"),
        ("DIRECTORIES", "/srv/../srv/demo", "use /srv/demo, here and in the service file"),
        ("VERSION", "", "--version is missing"),
        ("VERSION", "1;2", "only letters, digits"),
        ("STEPS", "packages everything", "unknown step everything"),
        ("WHEELS", "", "--wheels is missing: must be a directory"),
        ("WHEELS", "/no/such/place", "--wheels /no/such/place must be a directory"),
        ("AGENT_SOURCE", "/tmp", "must be the directory bootstrap"),
        ("EFS_UTILS", "amazon-efs-utils.deb", "--efs-utils amazon-efs-utils.deb is not a file"),
        ("TRANSPORT", "efs", "--transport efs: only efs-tls and nfs"),
        ("TRANSPORT", "efs-tls", "--efs-utils is missing: the transport efs-tls needs amazon-efs-utils"),
    ],
)
def test_a_bad_option_is_one_line_and_nothing_else_happens(name: str, value: str, words: str) -> None:
    code, said = check(**{name: value})
    assert code == 1
    assert words in said
    assert len(said.splitlines()) == 1


def test_the_mount_helper_of_efs_is_needed_only_while_packages_are_installed_and_if_there_is_none() -> None:
    assert check(TRANSPORT="efs-tls", STEPS="python agent")[0] == 0
    assert check(TRANSPORT="efs-tls", EFS_UTILS=str(AMI / "install.sh"))[0] == 0


def test_places_are_absolute_once_they_are_checked(tmp_path: Path) -> None:
    """Or a kit that is named from where one stands would be cleaned away with the rest of /tmp."""
    (tmp_path / "wheels").mkdir()
    (tmp_path / "efs.deb").touch()
    said = check("echo $WHEELS $EFS_UTILS", tmp_path, WHEELS="wheels", EFS_UTILS="efs.deb")[1]
    assert said.splitlines()[-1] == f"{tmp_path}/wheels {tmp_path}/efs.deb"


def test_help_is_no_error() -> None:
    loop = INSTALL[INSTALL.index("while [ $# -gt 0 ]") : INSTALL.index("[ $# -ge 2 ] || { usage")] + "shift; done"
    for option in ("-h", "--help"):
        code, said = ran(f"{function('usage')}\nset -- {option}\n{loop}")
        assert code == 0
        assert said.startswith("usage: install.sh --service NAME")


def test_a_kit_below_tmp_outlives_the_cleaning_of_tmp(tmp_path: Path) -> None:
    for name in ("kit/ami", "kit/bootstrap", "wheels", "left", ".hidden"):
        (tmp_path / name).mkdir(parents=True)
    places = f"HERE={tmp_path}/kit/ami AGENT_SOURCE={tmp_path}/kit/bootstrap WHEELS={tmp_path}/wheels EFS_UTILS=''"
    assert ran(f"{places}\n{function('empty_but_the_kit')}\nempty_but_the_kit {tmp_path}") == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kit", "wheels"]


SYSTEMCTL = 'systemctl() { [ "$AGENT" = active ]; }\nhostname() { echo here; }\n'


def check_builder(tmp_path: Path, *, named: str = "here", hours: int = 1, agent: str = "", booted: str = "/") -> str:
    """What is said of the machine; "" where it is accepted."""
    uptime = tmp_path / "uptime"
    uptime.write_text(f"{hours * 3600}.25 99.0\n")
    script = f"{FAIL}{SYSTEMCTL}. {AMI}/builder.sh\nBUILDER={named}\ncheck_builder"
    code, said = ran(script, BOOTED=booted, UPTIME=str(uptime), AGENT=agent)
    assert bool(code) is bool(said)
    return said


def test_a_fresh_builder_that_is_named_and_a_root_file_system_that_does_not_run_are_accepted(tmp_path: Path) -> None:
    assert check_builder(tmp_path) == ""
    assert check_builder(tmp_path, named="", hours=900, agent="active", booted="/no/such/directory") == ""


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        ({"named": ""}, "this is the running machine here"),
        ({"named": "there"}, "add --builder here"),
        ({"hours": 24}, "has been running for 24 hours"),
        ({"agent": "active"}, "soloist-agent runs on here"),
    ],
)
def test_any_other_machine_is_refused_with_the_remedy(tmp_path: Path, machine: dict[str, str], words: str) -> None:
    assert words in check_builder(tmp_path, **machine)  # type: ignore[arg-type]
