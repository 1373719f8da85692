"""Resources: providers, classes, amounts.  One model from the first row on.

A provider has an inventory per resource class; an allocation is (server, role, provider,
class, used).  Capacity is ``(total - reserved) * allocation_ratio``; usage is always derived
as a sum, never kept (laws T8, T9).  Source: the public Placement API reference.
"""

import math

from nova_cells.domain import server as model

VCPU, MEMORY_MB, DISK_GB = "VCPU", "MEMORY_MB", "DISK_GB"


class Inventory(model.Value, kw_only=True):
    """What one provider has of one class."""

    total: int
    reserved: int = 0
    min_unit: int = 1
    max_unit: int = 2**31 - 1
    step_size: int = 1
    allocation_ratio: float = 1.0

    @property
    def capacity(self) -> int:
        """How much may be allocated in all."""
        return int((self.total - self.reserved) * self.allocation_ratio)


class Provider(model.Value, kw_only=True):
    """Something that has resources: a host, part of one, or something shared by several."""

    uuid: str
    name: str
    host: str | None = None
    parent: str | None = None
    generation: int = 0
    traits: tuple[str, ...] = ()
    inventory: dict[str, Inventory] = {}


def amounts(flavor: model.Flavor, volume_backed: bool = False) -> dict[str, int]:
    """What a server of this flavor takes, by resource class.

    ``resources:CLASS=n`` in the extra specs overrides or adds a class; zero leaves it out
    (public flavor documentation).  The root disk of a volume-backed server takes no disk.
    """
    disk = (0 if volume_backed else flavor.disk_gb) + flavor.ephemeral_gb
    disk += math.ceil(flavor.swap_mb / 1024)
    wanted = {VCPU: flavor.vcpus, MEMORY_MB: flavor.ram_mb, DISK_GB: disk}
    for key, value in flavor.extra_specs.items():
        if key.startswith("resources:") and value.isdigit():
            wanted[key.removeprefix("resources:")] = int(value)
    return {name: amount for name, amount in wanted.items() if amount > 0}


def required_traits(flavor: model.Flavor) -> frozenset[str]:
    """Traits that the host must have: ``trait:NAME=required``."""
    return frozenset(key.removeprefix("trait:") for key, value in flavor.extra_specs.items()
                     if key.startswith("trait:") and value == "required")


def forbidden_traits(flavor: model.Flavor) -> frozenset[str]:
    """Traits that the host must not have: ``trait:NAME=forbidden``."""
    return frozenset(key.removeprefix("trait:") for key, value in flavor.extra_specs.items()
                     if key.startswith("trait:") and value == "forbidden")


def shape(flavor: model.Flavor) -> str:
    """A key that two flavors share exactly when the same hosts fit them equally often."""
    parts = [f"{name}={amount}" for name, amount in sorted(amounts(flavor).items())]
    parts += [f"+{name}" for name in sorted(required_traits(flavor))]
    parts += [f"-{name}" for name in sorted(forbidden_traits(flavor))]
    return ",".join(parts)
