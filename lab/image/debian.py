"""The apt sources of an image: those of the host, but only Debian's own.

For: `lab.image.store`. Guarantees: no archive of another vendor that the host uses gets into an image.
Does not: check that a source answers. Pure except for `host_sources`.
"""

import subprocess

APT_LIMIT_S = 30.0
FORMAT = "$(REPO_URI) $(CODENAME) $(RELEASE) $(COMPONENT) $(ORIGIN)"


def host_sources(suite: str) -> list[str]:
    """One-line apt sources for `suite` as the host has them; empty when it has none (mmdebstrap then uses its own)."""
    try:
        answer = subprocess.run(
            ["apt-get", "indextargets", "--format", FORMAT, "Created-By: Packages"],
            capture_output=True,
            text=True,
            timeout=APT_LIMIT_S,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return []
    return parse_sources(answer.stdout, suite)


def parse_sources(index_targets: str, suite: str) -> list[str]:
    """Sources lines from the output of `apt-get indextargets` in FORMAT: origin Debian, release of `suite`, main."""
    found = []
    for line in index_targets.splitlines():
        fields = line.split()
        if len(fields) != 5:
            continue
        uri, _codename, release, component, origin = fields
        belongs = release == suite or release.startswith(f"{suite}-")
        line = f"deb {uri} {release} {component}"
        if origin == "Debian" and belongs and component == "main" and line not in found:
            found.append(line)
    return found
