"""EC2: instances, network interfaces and launch templates as documented, where moto is more lenient.

Here: the lives of instances, attachments, status checks, launch rules, views, and `Machines` (the hypervisor).
A newcomer puts a rule next to the call it belongs to, as a patch with its reason, and its state into `state.Ec2`.
"""
