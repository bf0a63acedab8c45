"""Run inside a network namespace of its own: `unshare -Urnm python -m tests.process.netns_arp`. Prints JSON.

A machine's end of a cable that is a port of a bridge of the lab's, with the lab's cuts: who answers the status check?
"""

import json
import subprocess

from lab.hardware.arp import answers
from lab.hardware.network import Network, Subnet

MAC, ADDRESS = "02:00:00:00:00:42", "10.0.0.20"


def ip(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True)


def main() -> None:
    network = Network()
    network.start()
    network.add_subnet(Subnet(name="one", cidr="10.0.0.0/24", zone="a"))
    port = network.add_port("one")
    ip(f"link set {port.device} address {MAC}")
    ip(f"address add {ADDRESS}/24 dev {port.device}")
    seen = {"healthy": answers(port.cable, MAC, ADDRESS, 5.0)}
    seen["another address"] = answers(port.cable, MAC, "10.0.0.21", 0.3)
    network.cut_conversations(port, ["10.0.0.0/8"])
    network.cut_zone("a")
    seen["cut off"] = answers(port.cable, MAC, ADDRESS, 5.0)
    ip(f"link set {port.device} arp off")
    seen["hung"] = answers(port.cable, MAC, ADDRESS, 0.3)
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
