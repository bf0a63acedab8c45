"""The whole lab, put together: the one place where its parts meet.

For: `lab.play.stage` and the lab tests, inside `lab.hardware.namespace`. Guarantees: `close()`, or the end of the
`with` block, ends every machine and server; a part that cannot start raises one clear error.
Does not: know the service under test, or play scenes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from lab.aws import FAST, ControlPlane, MountTargetView, RecordView, Timing
from lab.base.addresses import CONTROL_ADDRESS
from lab.base.bounded_server import BoundedServer
from lab.base.errors import LabError, LabPreconditionError
from lab.client import writer as writer_program
from lab.client.collector import Collector
from lab.client.ledger import Ledger
from lab.edges.metadata import MetadataService
from lab.edges.metadata_http import MetadataServer
from lab.edges.names import Names
from lab.edges.names_server import NamesServer
from lab.hardware.file_server import FileServer, MountTarget
from lab.hardware.machine import MachineSpec, NetworkInterface
from lab.hardware.network import Network, Subnet
from lab.hardware.probe import Kernel
from lab.hardware.uml import UmlMachine, UmlMachines
from lab.image.images import Images
from lab.play.hypervisor import Hypervisor
from lab.play.wiring import Wiring

REGION = "us-east-1"
CLIENT_SUBNET = Subnet(name="client", cidr="10.0.200.0/24")
CLIENT_ADDRESS = "10.0.200.10"
CLIENT_MAC = "02:60:00:00:00:01"
PLUMBING_POLL_S = 0.1
BOOT_LIMIT_S = 120.0
MACHINES_MIB = 6 * 384  # file server, client, and up to four instances for a moment


class Lab:
    """A running lab. Use as a context manager."""

    def __init__(
        self,
        kernel: Kernel,
        images: Images,
        run_directory: Path,
        say: Callable[[str], None],
        timing: Timing = FAST,
    ) -> None:
        """`say` is called, from many threads, with one sentence for everything that a person should know. `timing`: of
        the control plane."""
        self._images = images
        self._run_directory = run_directory
        self._say = say
        self._closing = threading.Event()
        self._ending = ExitStack()
        self.network = Network()
        self.machines = UmlMachines(kernel, run_directory, self.network, memory_mib=MACHINES_MIB)
        # Told on the kernel's command line, so that the image is the same as on AWS.
        arguments = (f"systemd.setenv=AWS_ENDPOINT_URL=http://{CONTROL_ADDRESS}:4566",)
        self.hypervisor = Hypervisor(self.machines, self.gateway, images.instances, arguments, say)
        self.control_plane = ControlPlane(self.hypervisor, timing, address=CONTROL_ADDRESS, port=4566)
        self.ledger = Ledger()
        self.file_server: FileServer
        self.client: UmlMachine

    def __enter__(self) -> Lab:
        try:
            self._start()
        except OSError as error:
            self.close()
            raise LabPreconditionError(
                f"the lab cannot listen: {error}: end the program that holds that port (`ss -ltnp` names it)"
            ) from error
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every part in reverse order, even if one of them raises. Safe to repeat."""
        self._closing.set()
        self._ending.close()

    def boto3_client(self, service: str) -> Any:
        """An operator's client to the control plane, with bounded calls."""
        make: Any = boto3.client  # the stubs know only literal names
        return make(
            service,
            region_name=REGION,
            endpoint_url=self.control_plane.endpoint_url,
            aws_access_key_id="operator",
            aws_secret_access_key="operator",
            config=Config(connect_timeout=3, read_timeout=60, retries={"total_max_attempts": 2}),
        )

    def gateway(self, subnet_id: str) -> str:
        """The gateway of one of the control plane's subnets, with prefix length; its bridge is there afterwards."""
        view = next((view for view in self.control_plane.subnets() if view.id == subnet_id), None)
        if view is None:
            raise LabError(f"no subnet {subnet_id} in the control plane")
        self.network.add_subnet(Subnet(name=view.id, cidr=view.cidr, zone=view.zone))
        return self.network.gateway(subnet_id)

    def crash(self, instance_id: str) -> None:
        """Cut the power of an instance, behind the back of the control plane."""
        self.hypervisor.power_off(instance_id)

    def start_writers(self, name: str) -> None:
        """Let the client machine write to `name` from now on; once in a lab. Raises LabError."""
        script = Path(writer_program.__file__).read_text()
        self.client.exec(f"cat > /root/writer.py <<'END_OF_WRITER'\n{script}\nEND_OF_WRITER")
        target = f"--service {name} --collector {self._collector_address}"
        started = self.client.exec(f"systemd-run --quiet --unit=writers python3 /root/writer.py {target}")
        if started.exit_code:
            raise LabError(f"the client's writers did not start: {started.output.strip()}")

    def resolve(self, name: str) -> str:
        """The address in the DNS record of `name` now; empty if there is no record."""
        record = self.record(name)
        return record.values[0] if record else ""

    def record(self, name: str) -> RecordView | None:
        """The DNS record of `name` now (type A)."""
        records = self.control_plane.hosted_zone_records()
        return next((record for record in records if (record.name, record.type) == (name, "A")), None)

    def _start(self) -> None:
        self.network.start()
        self.network.add_subnet(CLIENT_SUBNET)
        self._ending.callback(self.hypervisor.end_all)
        self.control_plane.start()
        self._ending.callback(self.control_plane.stop)
        wiring = Wiring(self.control_plane)
        self._serve(MetadataServer(wiring.instance_metadata, MetadataService()))
        self._serve(NamesServer(Names(wiring.zones, wiring.mount_targets, wiring.zone_of)))
        collector = Collector(self.ledger, address=CONTROL_ADDRESS)
        self._serve(collector)
        self._collector_address = f"{CONTROL_ADDRESS}:{collector.port}"
        self.file_server = FileServer(self.machines, self._images.server, self._run_directory / "efs.ext4")
        self._ending.callback(self.file_server.stop)
        self.client = self._power_on_client()
        self._ending.callback(self.client.kill)
        threading.Thread(target=self._plumb, name="plumbing", daemon=True).start()

    def _serve(self, server: BoundedServer | NamesServer) -> None:
        server.open()
        self._ending.callback(server.close)

    def _power_on_client(self) -> UmlMachine:
        gateway = self.network.gateway(CLIENT_SUBNET.name).split("/")[0]
        return self.machines.power_on(
            MachineSpec(
                name="client",
                image=self._images.client,
                memory_mib=128,
                interfaces=(NetworkInterface(index=0, mac=CLIENT_MAC, bridge=CLIENT_SUBNET.name),),
                address=f"{CLIENT_ADDRESS}/24",
                gateway=gateway,
            )
        )

    def _plumb(self) -> None:
        """Give the file server the address of each mount target and the directory of each access point."""
        self._try(self.file_server.start, "at all")
        plugged: set[str] = set()
        made: set[str] = set()
        while not self._closing.wait(PLUMBING_POLL_S):
            for target in self.control_plane.mount_targets():
                if target.id not in plugged:
                    plugged.add(target.id)
                    self._try(partial(self._plug, target), target.id)
            for point in self.control_plane.access_points():
                if point.id not in made:
                    made.add(point.id)
                    make = self.file_server.create_directory
                    self._try(
                        partial(make, point.path, uid=point.owner_uid, gid=point.owner_gid, mode=point.mode), point.id
                    )

    def _plug(self, target: MountTargetView) -> None:
        gateway, length = self.gateway(target.subnet_id).split("/")
        macs = {nic.id: nic.mac for nic in self.control_plane.network_interfaces()}
        self.file_server.add_mount_target(
            MountTarget(
                subnet=target.subnet_id,
                address=f"{target.address}/{length}",
                gateway=gateway,
                mac=macs[target.network_interface_id],
            )
        )

    def _try(self, act: Callable[[], object], what: str) -> None:
        try:
            act()
        except LabError as error:
            self._say(f"the file server does not serve {what}: {error}")
