"""Keeps systemd-networkd off the service's network interface, so that only the agent configures it.

For: claims.network_interface, before the interface is attached. Guarantees: one file names the interface by its MAC and
comes before every other file that networkd may have for it; a file of the same content is not written again, and
networkd, where it runs, has read it before the interface is attached. The file is below /run: a reboot forgets it.
Does not: fail a boot. Without this file networkd asks DHCP for an address, adds a second default route, and takes the
agent's address away when it does not know it; the upkeep puts that right, again and again.
Sources: systemd.network(5) (of all files, in the order of their names, the first that matches a link is applied;
`Unmanaged=`), networkctl(1) `reload`. Who else has such files: netplan on Debian's generic cloud images
(/etc/netplan/90-default.yaml matches en* and eth* and becomes 10-netplan-*.network); amazon-ec2-net-utils
(70-DEVICE.network).
"""

from __future__ import annotations

import logging
from pathlib import Path

from bootstrap.base.clock import Deadline
from bootstrap.base.files import replace_file, text_of
from bootstrap.base.paths import Paths
from bootstrap.machine.commands import Commands

log = logging.getLogger(__name__)

RELOAD_S = 5.0


class Networkd:
    """systemd-networkd of this machine, where there is one."""

    def __init__(self, commands: Commands, paths: Paths) -> None:
        self._commands = commands
        self._paths = paths
        self._told: set[str] = set()  # MACs

    def keep_off(self, mac: str, deadline: Deadline) -> None:
        """From now on networkd leaves the device with this MAC alone. What prevents that is logged, and tried again by
        the next call. Raises StopRequested."""
        file = self._paths.networkd_files / f"05-soloist-{mac.replace(':', '')}.network"
        text = f"# The agent of soloist configures this device.\n[Match]\nMACAddress={mac}\n\n[Link]\nUnmanaged=yes\n"
        is_there = text_of(file) == text
        if is_there and mac in self._told:
            return
        failure = "" if is_there else _write(file, text)
        if not failure and self._paths.networkd_state.exists():  # where it does not run, it reads the file at its start
            done = self._commands.run(["networkctl", "reload"], deadline.within(RELOAD_S, "networkctl reload"))
            failure = "" if done.succeeded else done.summary
        if failure:
            self._told.discard(mac)
            log.warning("network interface: networkd was not told to leave %s alone: %s", mac, failure)
        else:
            self._told.add(mac)


def _write(file: Path, text: str) -> str:
    """Why it could not be written, "" when it was."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, text)
    except OSError as error:
        return str(error)
    return ""
