"""The disks of the lab's machines, made from Debian packages and this checkout."""

from lab.image.store import ImageStore

__all__ = ["ImageStore"]
