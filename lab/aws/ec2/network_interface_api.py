"""What the API shows and lets change of network interfaces: attachment, filters, DeleteOnTermination.

For: DescribeNetworkInterfaces and ModifyNetworkInterfaceAttribute. Guarantees: answers come from the book of
attachments that `network_interfaces` keeps. Does not: attach or detach.
Source: EC2 API reference DescribeNetworkInterfaces (filters), ModifyNetworkInterfaceAttribute.
"""

from typing import Any

from moto.core.responses import EmptyResult

from lab.aws.core.cloud import Cloud, current, under_lock
from lab.aws.core.errors import refused
from lab.aws.core.patches import PROPERTY, original, replaces
from lab.aws.ec2.state import Attachment, Ec2

_ENI = "moto.ec2.models.elastic_network_interfaces:NetworkInterface"
_RESPONSE = "moto.ec2.responses.elastic_network_interfaces:ElasticNetworkInterfaces"


def _attachment(eni: Any) -> Attachment | None:
    """The attachment as DescribeNetworkInterfaces shows it."""
    return Ec2.of(current()).attachments.get(eni.id)


replaces(f"{_ENI}.attachment", expects=PROPERTY, reason="attachments have a status and take time")(
    property(_attachment)
)


@replaces(
    f"{_ENI}.get_filter_value",
    expects="self, filter_name, method_name",
    reason="moto answers 500 to the attachment filters",
)
def get_filter_value(self: Any, filter_name: str, method_name: str | None = None) -> Any:
    """Filters of DescribeNetworkInterfaces, with the attachment.* family."""
    if not filter_name.startswith("attachment."):
        return original(f"{_ENI}.get_filter_value")(self, filter_name, method_name)
    held = Ec2.of(current()).attachments.get(self.id)
    field = filter_name.removeprefix("attachment.").replace("-", "_")
    if held is None or not hasattr(held, field):
        return None
    value = getattr(held, field)
    return str(value).lower() if isinstance(value, bool | int) else value


@replaces(f"{_RESPONSE}.modify_network_interface_attribute", reason="moto ignores Attachment.DeleteOnTermination")
@under_lock
def modify_network_interface_attribute(self: Any, cloud: Cloud) -> Any:
    """ModifyNetworkInterfaceAttribute with Attachment={AttachmentId, DeleteOnTermination}."""
    attachment_id = self._get_param("Attachment.AttachmentId")
    if attachment_id is None:
        return original(f"{_RESPONSE}.modify_network_interface_attribute")(self)
    self.error_on_dryrun()
    eni = self.ec2_backend.get_network_interface(self._get_param("NetworkInterfaceId"))
    held = Ec2.of(cloud).attachments.get(eni.id)
    if held is None or held.attachment_id != attachment_id:
        raise refused("InvalidAttachmentID.NotFound", f"The interface attachment '{attachment_id}' does not exist.")
    held.delete_on_termination = self._get_bool_param("Attachment.DeleteOnTermination", False)  # noqa: FBT003
    eni.delete_on_termination = held.delete_on_termination
    return EmptyResult()
