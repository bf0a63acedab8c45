"""The image downloads, starts and serves nothing by itself: ami/install.sh sees to it, ami/verify.sh checks it.

The scripts' own words run here, with a systemctl that only notes what it is told; the lab's builds run all of both.
"""

from pathlib import Path

import pytest

from tests.kit.image_shell import AMI, INSTALL, function, sh

VERIFY = (AMI / "verify.sh").read_text()
DEBIAN = (AMI / "systems" / "debian.sh").read_text()
DOWNLOADING = (
    "apt-daily.timer",
    "apt-daily.service",
    "apt-daily-upgrade.timer",
    "apt-daily-upgrade.service",
    "unattended-upgrades.service",
)
# Remembers what is masked in the file MASKED, and answers is-enabled from it; what is enabled is in the file ENABLED.
SYSTEMCTL = r"""#!/bin/sh
verb=''
for word in "$@"; do
    case "$word" in
        -*) ;;
        mask | is-enabled | enable | disable) verb=$word ;;
        *) case "$verb" in
               mask) echo "$word" >>"$MASKED" ;;
               enable) echo "$word" >>"$ENABLED" ;;
               disable) sed -i "/^$word\$/d" "$ENABLED" ;;
               is-enabled)
                   if grep -qx "$word" "$MASKED"; then echo masked; exit 1; else echo "${IS_ENABLED:-enabled}"; fi
                   ;;
           esac ;;
    esac
done
"""


class Image:
    """What systemctl remembers of an image."""

    def __init__(self, root: Path) -> None:
        self._masked = root / "masked"
        self._masked.touch()
        self._enabled = root / "enabled"
        self._enabled.touch()
        programs = root / "bin"
        programs.mkdir()
        (programs / "systemctl").write_text(SYSTEMCTL)
        (programs / "systemctl").chmod(0o755)
        release = root / "os-release"
        release.write_text("ID=debian\nVERSION_ID=12\n")
        self._environment = {
            "MASKED": str(self._masked),
            "ENABLED": str(self._enabled),
            "OS_RELEASE": str(release),
        }
        self._programs = str(programs)

    def call_each_unit(self, state: str) -> None:
        """What `systemctl is-enabled` says from now on; its exit code is 0 for all of these (systemctl(1))."""
        self._environment["IS_ENABLED"] = state

    def run(self, script: str, *arguments: str) -> list[str]:
        """What `script` prints, by line."""
        done = sh(script, "--service", "demo", *arguments, flags="", programs=self._programs, **self._environment)
        return done.stdout.splitlines()

    def agent_step(self, install: str) -> None:
        """Of the step that makes the image, the part that masks; the other parts write below /."""
        definitions = f"{_paragraph(DEBIAN, 'DOWNLOADING_UNITS=')}\n{function('mask_downloads', install)}"
        called = [line.strip() for line in _paragraph(install, "        agent)").splitlines()]
        self.run(definitions + "\n" + "\n".join(line for line in called if line == "mask_downloads"))

    def masked(self) -> list[str]:
        return self._masked.read_text().split()

    def install_units(self, install: str, units: tuple[str, ...]) -> set[str]:
        """What is enabled after the step for units; before it, as Debian's packages leave them, `units` are."""
        self._enabled.write_text("".join(f"{unit}\n" for unit in units))
        made = function("install_units", install).replace("/etc/systemd/system", str(self._enabled.parent))
        given = f"HERE=. UNITS='{' '.join(units)}' DIRECTORIES=''"
        others = "fail() { exit 1; }\nwrite_drop_in() { :; }\ncheck_unit() { :; }"
        self.run(f"{given}\n{others}\n{made}\ninstall_units\n")
        return set(self._enabled.read_text().split())

    def mask(self, *units: str) -> None:
        self._masked.write_text("".join(f"{unit}\n" for unit in units))

    def findings(self, verify: str = VERIFY) -> list[str]:
        """What verify.sh finds to download something."""
        return [line for line in self.run(verify) if "nothing is downloaded" in line]


def _paragraph(script: str, start: str) -> str:
    """From the line that starts with `start` to the first that ends what it began."""
    lines = script.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith(start))
    end = "'" if start.endswith("=") else "            ;;"
    last = next(n for n, line in enumerate(lines) if n >= first and line.endswith(end))
    return "\n".join(lines[first : last + 1])


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return Image(tmp_path)


def finding(unit: str) -> str:
    return f"verify.sh: not true: nothing is downloaded by {unit} (it is masked)"


def test_the_recipe_masks_all_that_downloads_or_upgrades(image: Image) -> None:
    image.agent_step(INSTALL)
    assert image.masked() == list(DOWNLOADING)
    assert image.findings() == []


@pytest.mark.parametrize("unit", DOWNLOADING)
def test_verification_names_each_unit_that_is_not_masked(image: Image, unit: str) -> None:
    image.mask(*(one for one in DOWNLOADING if one != unit))
    assert image.findings() == [finding(unit)]


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        ("            mask_downloads\n", ""),
        ("--quiet mask $DOWNLOADING_UNITS", "--quiet disable $DOWNLOADING_UNITS"),
    ],
)
def test_a_recipe_that_masks_nothing_is_seen(image: Image, words: str, instead: str) -> None:
    assert words in INSTALL
    image.agent_step(INSTALL.replace(words, instead))
    assert image.findings() == [finding(unit) for unit in DOWNLOADING]


DROP_IN = """# Written by ami/install.sh.
[Unit]
BindsTo=soloist-agent.service soloist-fence.service
AssertPathExists=/run/soloist/granted
AssertPathIsMountPoint=/var/lib/demo
AssertPathIsMountPoint=/etc/demo
"""
RUNS_GUARDED = """[Service]
Slice=soloist.slice
EnvironmentFile=/run/soloist/generation.env
"""


@pytest.mark.parametrize("unit", ["demo.service", "demo@15-main.service"])
def test_a_unit_of_the_service_ends_with_agent_and_fence_and_starts_on_lease_and_mounts_only(
    image: Image, tmp_path: Path, unit: str
) -> None:
    made = function("write_drop_in").replace("/etc/systemd/system", str(tmp_path))
    image.run(f"DIRECTORIES='/var/lib/demo /etc/demo'\n{made}\nwrite_drop_in {unit}\n")
    assert (tmp_path / f"{unit}.d" / "50-soloist.conf").read_text() == DROP_IN + RUNS_GUARDED


SERVICE_UNITS = ("demo-store.service", "demo.service")
OWN_UNITS = {"soloist-agent.service", "soloist-fence.service"}


def test_units_of_the_service_are_disabled_and_only_agent_and_fence_enabled(image: Image) -> None:
    assert image.install_units(INSTALL, SERVICE_UNITS) == OWN_UNITS


def test_a_recipe_that_leaves_units_of_the_service_enabled_is_seen(image: Image) -> None:
    broken = INSTALL.replace("--quiet disable", "--quiet is-enabled")
    assert broken != INSTALL
    assert image.install_units(broken, SERVICE_UNITS) == OWN_UNITS.union(SERVICE_UNITS)


def test_verification_names_a_service_that_would_start_by_itself(image: Image) -> None:
    claims = image.run(VERIFY, "--units", "demo.service", "--directories", "/var/lib/demo")
    assert "verify.sh: not true: demo.service is not enabled" in claims  # this systemctl calls it enabled
    assert "verify.sh: not true: demo.service ends with agent and fence" in claims
    assert "verify.sh: not true: demo.service needs /var/lib/demo to be mounted" in claims
    image.mask("demo.service")
    assert not any("demo.service is not enabled" in claim for claim in image.run(VERIFY, "--units", "demo.service"))


@pytest.mark.parametrize(
    ("state", "starts_by_itself"),
    [("enabled", True), ("enabled-runtime", True), ("alias", True), ("static", False), ("generated", False)],
)
def test_a_static_unit_is_not_enabled_although_systemctl_ends_with_0(
    image: Image, state: str, *, starts_by_itself: bool
) -> None:
    """inspec/inspec#6907."""
    image.call_each_unit(state)
    claims = image.run(VERIFY, "--units", "demo.service")
    assert ("verify.sh: not true: demo.service is not enabled" in claims) is starts_by_itself


def test_verification_without_units_or_directories_checks_none_and_says_so(image: Image) -> None:
    missing = {f"verify.sh: not true: there is something to check: {name}" for name in ("--units", "--directories")}
    assert missing <= set(image.run(VERIFY))
    assert not missing & set(image.run(VERIFY, "--units", "demo.service", "--directories", "/var/lib/demo"))


def test_an_image_for_efs_with_tls_needs_mount_helper_and_proxy(image: Image, tmp_path: Path) -> None:
    """efs-tls is the default, and an image without efs-utils passed; with plain NFS nothing of it is asked for."""
    claims = ("the EFS mount helper is there (install.sh --efs-utils)", "the EFS proxy has all its libraries")
    helper, proxy = (f"verify.sh: not true: {claim}" for claim in claims)
    assert {helper, proxy} <= set(image.run(VERIFY))
    assert {helper, proxy} <= set(image.run(VERIFY, "--transport", "efs-tls"))
    assert not {helper, proxy} & set(image.run(VERIFY, "--transport", "nfs"))
    (tmp_path / "bin" / "efs-proxy").symlink_to("/bin/sh")
    assert proxy not in image.run(VERIFY, "--transport", "efs-tls")


# ------------------------------------------------------------------ data directories that are links
def link(root: Path, target: str, *, is_filled: bool) -> str:
    """A data directory below `root` that is a link to `target`, or the path below such a link."""
    (root / "store" / "sub").mkdir(parents=True)
    if is_filled:
        (root / "store" / "ibdata1").write_text("precious")
    (root / "demo").symlink_to(target.format(root=root))
    return f"{root}/demo"


def check_directory(directory: str) -> str:
    """What install.sh says of it; "" where it is accepted."""
    return sh(f'fail() {{ echo "$1"; exit 1; }}\n{function("check_directory")}\ncheck_directory "$1"', directory).stdout


@pytest.mark.parametrize("is_filled", [True, False], ids=["filled", "empty"])
@pytest.mark.parametrize("target", ["{root}/store", "store", "./store/../store", "nowhere"])
def test_a_data_directory_that_is_a_link_is_refused_with_its_real_name_and_stays_as_it_is(
    tmp_path: Path, target: str, *, is_filled: bool
) -> None:
    """geerlingguy/ansible-role-mysql#244: the relative link was moved, and led nowhere; its content was gone."""
    said = check_directory(link(tmp_path, target, is_filled=is_filled))
    real = tmp_path / ("nowhere" if target == "nowhere" else "store")
    assert f"{tmp_path}/demo is another name of {real}, " in said
    assert f"use {real}, here and in the service file" in said
    assert (tmp_path / "demo").is_symlink()
    assert not is_filled or (tmp_path / "store" / "ibdata1").read_text() == "precious"


def test_a_directory_below_a_link_and_a_file_are_refused_and_real_directories_accepted(tmp_path: Path) -> None:
    below = link(tmp_path, "store", is_filled=False) + "/sub"
    assert f"use {tmp_path}/store/sub" in check_directory(below)
    assert f"use {tmp_path}/store" in check_directory(f"{tmp_path}/store/")
    (tmp_path / "file").touch()
    assert "file is not a directory" in check_directory(f"{tmp_path}/file")
    assert check_directory(f"{tmp_path}/store") == check_directory(f"{tmp_path}/not/yet") == ""


def test_directories_are_checked_before_anything_is_changed_and_after_the_packages() -> None:
    for caller, before in (("check_arguments", "check_builder"), ("install_units", "empty_mount_point")):
        text = function(caller)
        assert 0 < text.index('check_directory "$directory"') < text.index(before)


@pytest.mark.parametrize("target", ["{root}/store", "store", "nowhere"])
def test_verification_names_a_data_directory_that_is_a_link(image: Image, tmp_path: Path, target: str) -> None:
    wanted = "is a directory, and no symbolic link leads to it"
    (tmp_path / "of").mkdir()
    linked = link(tmp_path / "of", target, is_filled=False)
    assert f"verify.sh: not true: {linked} {wanted}" in image.run(VERIFY, "--directories", linked)
    plain = str(tmp_path / "of" / "store")
    assert not any(wanted in line for line in image.run(VERIFY, "--directories", plain))
