"""EFS: file systems and mount targets."""
