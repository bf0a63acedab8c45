"""What machines of the lab reach beside the AWS API: DNS names, the metadata service, role credentials."""
