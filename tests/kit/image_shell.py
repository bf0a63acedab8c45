"""The image's scripts in a real shell: single functions of them, apart from the script that they stand in.

For: the tests of ami/. Guarantees: nothing of this process's environment but PATH; every run has a limit.
Does not: run install.sh as a whole, which is for a chroot or a builder alone.
"""

import os
import re
import subprocess
from pathlib import Path

AMI = Path(__file__).resolve().parents[2] / "ami"
INSTALL = (AMI / "install.sh").read_text()


def function(name: str, script: str = INSTALL) -> str:
    """The text of one function of `script`."""
    found = re.search(rf"^{name}\(\) \{{\n.*?^\}}$", script, re.MULTILINE | re.DOTALL)
    assert found, name
    return found[0]


def sh(
    script: str, *arguments: str, cwd: Path = AMI, flags: str = "-eu", programs: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `script` in `cwd`; `programs` is a directory that is looked at before PATH."""
    path = os.pathsep.join(filter(None, [programs, os.environ["PATH"]]))
    return subprocess.run(
        ["sh", *flags.split(), "-c", script, "sh", *arguments],
        cwd=cwd,
        env={"PATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
