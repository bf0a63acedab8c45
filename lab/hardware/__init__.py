"""Machines (User Mode Linux), their network, the NFS file server, and the namespace in which all of them live.

May import: base and bootstrap.base (files). It knows no AWS: no instances, subnets only as bridges with a name.
Other rooms use UmlMachines and UmlMachine (uml), MachineSpec (machine), Network (network) and FileServer (file_server).
A newcomer comes here for another hypervisor (beside uml) or another kind of cut (network_cuts).
"""
