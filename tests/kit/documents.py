"""The one boot document of all tests. A test names only what it changes."""

import grp
import os
import pwd
from typing import Any

from bootstrap.base.document import BootDocument, parse_tree
from bootstrap.run.kinds import KINDS


def document_tree(target: str = "/var/lib/demo", **changes: Any) -> dict[str, Any]:
    """A boot document as JSON tree, its directory owned by whoever runs the tests. `changes` go as deep as they name
    keys: `document_tree(service={"units": ["a.service"]})` changes the units alone."""
    tree: dict[str, Any] = {
        "version": 1,
        "stack": "soloist-demo",
        "region": "us-east-1",
        "service": {
            "name": "demo",
            "units": ["demo-store.service", "demo.service"],
            "start_timeout_s": 20,
            "stop_timeout_s": 10,
            "health": {
                "checks": [{"kind": "command", "argv": ["probe"]}],
                "start_allowance_s": 30,
                "interval_s": 5,
                "unhealthy_after": 3,
            },
            "hooks": {"before_start": [], "after_start": [], "before_stop": [["say-goodbye"]], "timeout_s": 7},
        },
        "group": {
            "name": "soloist-demo",
            "launch_hook": "boot",
            "launch_hook_timeout_s": 600,
            "terminate_hook": "drain",
        },
        "zones": [
            {
                "name": "us-east-1a",
                "network_interface_id": "eni-1",
                "address": "10.0.100.10",
                "subnet_cidr": "10.0.100.0/24",
            }
        ],
        "connection": {"kind": "route53", "hosted_zone_id": "Z1", "name": "demo.lab.internal", "ttl_s": 10},
        "file_system": {
            "kind": "efs",
            "id": "fs-1",
            "dns_name": "fs-1.efs.us-east-1.amazonaws.com",
            "transport": "nfs",
            "data_access_point_id": "fsap-data",
            "lease_access_point_id": "fsap-lease",
            "data_path": "/demo/data",
            "lease_path": "/demo/lease",
            "mount_targets": [{"zone": "us-east-1a", "address": "10.0.0.20"}],
            "directories": [
                {
                    "source": "demo",
                    "target": target,
                    "owner": pwd.getpwuid(os.getuid()).pw_name,
                    "group": grp.getgrgid(os.getgid()).gr_name,
                    "mode": "0750",
                }
            ],
        },
        "lease": {"fence": "proof-or-lease", "timing": {}},
        "deadlines": {"boot_s": 600, "network_interface_s": 300, "mount_s": 20, "release_s": 30},
        "state_parameter": "/soloist/demo/state",
        "topic_arn": "arn:aws:sns:us-east-1:123456789012:soloist-demo",
    }
    return merged(tree, changes)


def document(target: str = "/var/lib/demo", **changes: Any) -> BootDocument:
    return parse_tree(document_tree(target, **changes), KINDS)


def merged(tree: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`tree` with `changes` in it; what is not an object on both sides is replaced whole."""
    both = {key: (tree.get(key), value) for key, value in changes.items()}
    return tree | {
        key: merged(old, new) if isinstance(old, dict) and isinstance(new, dict) else new
        for key, (old, new) in both.items()
    }
