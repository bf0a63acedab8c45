"""Run inside a network namespace of its own: `unshare -Urnm python -m tests.process.netns_links`. Prints JSON.

Makes two veth pairs as primary and zone interface, configures the second by the agent's own adapter, twice, with a
stale rule in the way, and tells what the kernel then does with packets.
"""

import json
import subprocess
from pathlib import Path

from bootstrap.machine.links import KernelLinks, missing, plan_link

MAC = "02:00:00:00:00:42"
SETUP = f"""
mount -t sysfs none /sys
ip link set lo up
ip link add eth0 type veth peer name peer0
ip link set eth0 address 02:00:00:00:00:99 mtu 9001 up
ip link set peer0 up
ip addr add 10.0.0.5/24 dev eth0
ip route add default via 10.0.0.1
ip link add vec1 type veth peer name peer1
ip link set vec1 address {MAC}
ip link set peer1 up
ip rule add from 10.0.100.10 table 20099 priority 20099
"""


def route(*words: str) -> str:
    (found,) = json.loads(subprocess.run(["ip", "-j", "route", "get", *words], capture_output=True, check=True).stdout)
    return f"{found.get('gateway', 'link')} dev {found['dev']}"


def mtu(device: str) -> int:
    return int(Path(f"/sys/class/net/{device}/mtu").read_text())


def main() -> None:
    for line in SETUP.strip().splitlines():
        subprocess.run(line.split(), check=True)
    links = KernelLinks(Path("/sys/class/net"))
    device = links.find(MAC.upper())
    assert device is not None
    plan = plan_link(*device, "10.0.100.10", "10.0.100.0/24")
    lacks, frames = [missing(plan, links.observe(plan))], [mtu("vec1")]
    for _ in range(2):
        links.configure(plan)
        lacks.append(missing(plan, links.observe(plan)))
        frames.append(mtu("vec1"))
    rules = json.loads(subprocess.run(["ip", "-j", "rule"], capture_output=True, check=True).stdout)
    answer = {
        "unknown": links.find("02:00:00:00:00:77"),
        "device": device[0],
        "lacks": lacks,
        "frames": frames,
        "tables": [rule["table"] for rule in rules if rule["src"] == "10.0.100.10"],
        "is_own_table": plan.table,
        "reply": route("8.8.8.8", "from", "10.0.100.10"),
        "reply_near": route("10.0.100.77", "from", "10.0.100.10"),
        "own_traffic": route("8.8.8.8"),
        "own_traffic_to_service_subnet": route("10.0.100.77"),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
