"""AWS on one machine: control plane, metadata, DNS, file server, machines, client. The product never imports it."""
