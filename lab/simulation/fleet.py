"""The instances of one run, in the order of their launch."""

from lab.simulation.machine import Machine


class Fleet:
    """All instances that there ever were."""

    def __init__(self) -> None:
        self.machines: list[Machine] = []

    def machine(self, instance_id: str) -> Machine:
        return self.machines[int(instance_id[2:])]

    def writers(self) -> list[Machine]:
        return [machine for machine in self.machines if machine.is_writer]

    def forget(self) -> None:
        """The run is over. All parts of a machine know it, and a circle costs the collector more than the run's end."""
        for machine in self.machines:
            vars(machine).clear()
        self.machines.clear()
