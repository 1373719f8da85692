"""What a driver is told about its host: small frozen values, resolved by the loader.

May assume nothing about where the values come from.  Never reads a configuration file.
"""

from nova_cells.domain import resources
from nova_cells.domain import server as model


class Ratios(model.Value, kw_only=True):
    """How much is offered of what the host has, and what it keeps for itself."""

    cpu: float = 4.0
    ram: float = 1.0
    disk: float = 1.0
    reserved_cpus: int = 0
    reserved_memory_mb: int = 512
    reserved_disk_mb: int = 0

    def inventory(self, vcpus: int, memory_mb: int, disk_gb: int) -> dict[str, resources.Inventory]:
        """The host's inventory, nothing of it reserved beyond what it has."""
        rows = {resources.VCPU: (vcpus, self.reserved_cpus, self.cpu),
                resources.MEMORY_MB: (memory_mb, self.reserved_memory_mb, self.ram),
                resources.DISK_GB: (disk_gb, -(-self.reserved_disk_mb // 1024), self.disk)}
        return {name: resources.Inventory(total=total, reserved=min(kept, total), max_unit=total,
                                          allocation_ratio=ratio)
                for name, (total, kept, ratio) in rows.items() if total > 0}


class FakeHost(model.Value, kw_only=True):
    """What a fake host has."""

    vcpus: int = 1000
    memory_mb: int = 2 * 1024 * 1024
    disk_gb: int = 100 * 1024
    boot_delay: float = 0.0
    migration_delay: float = 0.0


class LibvirtHost(model.Value, kw_only=True):
    """How a libvirt host makes guests."""

    connection_uri: str = "qemu:///system"
    virt_type: str
    images_type: str = "qcow2"
    force_raw_images: bool = True
    cpu_mode: str | None = None
    machine_type: str = "pc"
    tb_cache_mib: int = 32
    rng: bool = True
    mem_stats_period: int = 10
    vnc_enabled: bool = True
    vnc_listen: str = "127.0.0.1"


class Settings(model.Value, kw_only=True):
    """A host, resolved.  ``instances_path`` None: nothing is kept on disk (fake only)."""

    cell: str
    host: str
    instances_path: str | None = None
    transfer_path: str | None = None     # where the fake hosts of a cell hand disks to one another
    ratios: Ratios = Ratios()
    fake: FakeHost = FakeHost()
    libvirt: LibvirtHost | None = None
