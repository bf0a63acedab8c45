"""The control plane itself: what it cannot do is said, and a port that is taken is an error."""

from http.client import HTTPConnection

import pytest
from botocore.exceptions import ClientError

from lab.aws import ControlPlane, NoMachines
from tests.contract.deployed_account import Account


def test_what_the_lab_does_not_model_is_said_and_kept(account: Account) -> None:
    with pytest.raises(ClientError) as caught:
        account.client("autoscaling").start_instance_refresh(AutoScalingGroupName="x")
    assert caught.value.response["Error"]["Code"] == "NotModelledByTheLab"
    assert any("autoscaling:StartInstanceRefresh" in error for error in account.plane.errors)


def test_a_length_that_is_no_number_is_a_bad_request(account: Account) -> None:
    host, _, port = account.plane.endpoint_url.removeprefix("http://").partition(":")
    connection = HTTPConnection(host, int(port), timeout=5)
    connection.putrequest("POST", "/")
    connection.putheader("Content-Length", "many")
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()


def test_the_port_taken_is_an_error_and_nothing_stays_patched() -> None:
    with ControlPlane(NoMachines(), address="127.0.0.1", port=0) as plane:
        port = int(plane.endpoint_url.rpartition(":")[2])
    first = ControlPlane(NoMachines(), address="127.0.0.1", port=port)
    with first, pytest.raises(OSError, match=rf"127.0.0.1 port {port}: Address already in use$"):
        ControlPlane(NoMachines(), address="127.0.0.1", port=port).start()
    with ControlPlane(NoMachines(), address="127.0.0.1", port=0):
        pass
