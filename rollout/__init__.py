"""The operator's command: status, promote a staged version, roll back to an earlier one."""
