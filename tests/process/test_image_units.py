"""The bake takes a unit whose process is the service itself, and names the one to use where it gets another.

Source of the cases: unix.stackexchange.com/questions/436802 (Debian's postgresql.service), systemd/systemd#7874 (mysql
is an alias), inspec/inspec#6907 (static units), services that only an init script starts.
"""

from pathlib import Path

import pytest

from tests.kit.image_shell import AMI, sh

PROCESS = "[Service]\nExecStart=/usr/bin/demod\n"


class System:
    """The unit files and init scripts of an image."""

    def __init__(self, root: Path) -> None:
        self.vendor, self.local, self.scripts = root / "usr", root / "etc", root / "init.d"
        for directory in (self.vendor, self.local, self.scripts):
            directory.mkdir()

    def check(self, unit: str) -> str:
        """What is said of `unit`; "" where it is accepted."""
        script = f'fail() {{ echo "$1"; exit 1; }}\n. {AMI}/units.sh\ncheck_unit "$1"'
        places = {"UNIT_PATH": f"{self.local} {self.vendor}", "INIT_SCRIPTS": str(self.scripts)}
        done = sh(script, unit, **places)
        assert done.stderr == ""
        assert bool(done.returncode) is bool(done.stdout)
        return done.stdout.strip()


@pytest.fixture
def system(tmp_path: Path) -> System:
    made = System(tmp_path)
    (made.vendor / "demo.service").write_text(PROCESS)
    return made


def test_a_service_with_a_process_is_accepted(system: System) -> None:
    assert system.check("demo.service") == ""


def test_an_instance_of_a_template_is_accepted_also_by_a_link_to_the_template(system: System) -> None:
    (system.vendor / "postgresql@.service").write_text("[Service]\nType=forking\nExecStart=/usr/bin/pg_ctlcluster\n")
    assert system.check("postgresql@15-main.service") == ""
    (system.local / "postgresql@15-main.service").symlink_to(system.vendor / "postgresql@.service")
    assert system.check("postgresql@15-main.service") == "", "the link is no alias"


def test_a_unit_that_systemd_makes_of_an_init_script_is_accepted(system: System) -> None:
    (system.scripts / "opscenterd").write_text("#!/bin/sh\n")
    (system.scripts / "opscenterd").chmod(0o755)
    assert system.check("opscenterd.service") == ""


def test_an_enabled_link_to_the_same_name_is_accepted(system: System) -> None:
    (system.local / "demo.service").symlink_to(system.vendor / "demo.service")
    assert system.check("demo.service") == ""


def test_an_alias_is_refused_with_the_real_name(system: System) -> None:
    (system.local / "mysql.service").symlink_to(system.vendor / "demo.service")
    assert "mysql.service is another name of demo.service: use that" in system.check("mysql.service")


@pytest.mark.parametrize("is_link", [True, False], ids=["link", "empty"])
def test_a_masked_unit_is_refused(system: System, *, is_link: bool) -> None:
    if is_link:
        (system.local / "demo.service").symlink_to("/dev/null")
    else:
        (system.local / "demo.service").touch()
    assert system.check("demo.service") == "unit demo.service is masked: it can never start"


def test_a_unit_that_is_not_there_is_refused(system: System) -> None:
    assert system.check("other.service") == "unit other.service does not exist: which package brings it?"


@pytest.mark.parametrize(
    "text",
    [
        "[Service]\nType=oneshot\nExecStart=/bin/true\nRemainAfterExit=on\n",
        "[Service]\nType=oneshot\nExecStart=/usr/bin/demo-control start\n",
        "[Service]\nExecStart=\n",
        "[Service]\n  Type = oneshot\nExecStart=/bin/true\n",
        "[Service]\nType=oneshot\r\nExecStart=/bin/true\r\n",
        "[Unit]\nDescription=all of it\n",
    ],
)
def test_a_wrapper_is_refused_with_what_it_wraps(system: System, text: str) -> None:
    (system.vendor / "postgresql.service").write_text(text)
    (system.vendor / "postgresql@.service").write_text(f"[Unit]\nPartOf=postgresql.service\n{PROCESS}")
    said = system.check("postgresql.service")
    assert said.startswith("unit postgresql.service is only a wrapper")
    assert "an instance of: postgresql@.service" in said


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        ("demo.timer", "use demo.service"),
        ("demo.socket", "use demo.service"),
        ("demo.target", "use the services that it starts"),
        ("demo", "use the services that it starts"),
    ],
)
def test_a_unit_of_another_kind_is_refused_with_the_unit_to_use(system: System, unit: str, words: str) -> None:
    said = system.check(unit)
    assert f"unit {unit} has no process" in said
    assert words in said


def test_what_a_drop_in_says_counts_and_the_last_word_wins(system: System) -> None:
    (system.vendor / "web.service").write_text("[Unit]\nDescription=the command comes with the configuration\n")
    assert "is only a wrapper" in system.check("web.service")
    (system.local / "web.service.d").mkdir()
    (system.local / "web.service.d/10-command.conf").write_text(PROCESS)
    assert system.check("web.service") == ""
    (system.local / "web.service.d/20-once.conf").write_text("[Service]\nType=oneshot\n")
    assert "is only a wrapper" in system.check("web.service")
