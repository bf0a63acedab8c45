"""What every room of the lab shares: errors, waiting with a deadline, bounded servers, run directories."""
