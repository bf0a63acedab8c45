"""The lab's own addresses, which an instance reaches in every subnet.

For: edges listens on them, hardware routes them, play tells instances of them. Guarantees: the first is AWS's own (EC2
user guide, "Access instance metadata for an EC2 instance"); the others are the lab's choice beside it.
Does not: hold addresses of subnets, which the template decides.
"""

METADATA_ADDRESS = "169.254.169.254"
NAMES_ADDRESS = "169.254.169.253"
CONTROL_ADDRESS = "169.254.169.252"
