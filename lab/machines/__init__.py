"""Real Linux machines on this computer: processes with their own kernel, disk and network interfaces."""
