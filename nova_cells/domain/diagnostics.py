# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""How a guest is doing, as its host sees it, and the two documents that show it.

Up to 2.47 the API shows a flat list of counters, named as libvirt's users know them; from 2.48 a
document of the same shape for every hypervisor.  Pure.  Source: the public api-ref, "Servers
diagnostics".
"""

import typing

from nova_cells.domain import server as model

STATES = {0: "pending", 1: "running", 3: "paused", 4: "shutdown", 6: "crashed", 7: "suspended"}


class Cpu(model.Value, kw_only=True):
    """One virtual CPU: nanoseconds, per cent."""

    id: int
    time: int
    utilisation: int | None = None


class Nic(model.Value, kw_only=True):
    """One interface."""

    mac_address: str
    rx_octets: int | None = None
    rx_errors: int | None = None
    rx_drop: int | None = None
    rx_packets: int | None = None
    rx_rate: int | None = None
    tx_octets: int | None = None
    tx_errors: int | None = None
    tx_drop: int | None = None
    tx_packets: int | None = None
    tx_rate: int | None = None


class Disk(model.Value, kw_only=True):
    """One disk."""

    read_bytes: int | None = None
    read_requests: int | None = None
    write_bytes: int | None = None
    write_requests: int | None = None
    errors_count: int | None = None


class Diagnostics(model.Value, kw_only=True):
    """What a host knows of a guest.  Memory in MiB."""

    power: int
    driver: str = "libvirt"
    hypervisor: str | None = None
    hypervisor_os: str | None = None
    uptime: int | None = None            # seconds; None: the host does not know
    config_drive: bool = False
    memory_maximum: int | None = None
    memory_used: int | None = None
    cpus: tuple[Cpu, ...] = ()
    nics: tuple[Nic, ...] = ()
    disks: tuple[Disk, ...] = ()


def document(found: Diagnostics, uptime: int | None) -> dict[str, typing.Any]:
    """From 2.48 on.  ``uptime``: what to show if the host did not say."""
    return {
        "state": STATES.get(found.power, "pending"), "driver": found.driver,
        "hypervisor": found.hypervisor, "hypervisor_os": found.hypervisor_os,
        "uptime": found.uptime if found.uptime is not None else uptime,
        "config_drive": found.config_drive, "num_cpus": len(found.cpus),
        "num_nics": len(found.nics), "num_disks": len(found.disks),
        "memory_details": {"maximum": found.memory_maximum, "used": found.memory_used},
        "cpu_details": [_fields(cpu) for cpu in found.cpus],
        "nic_details": [_fields(nic) for nic in found.nics],
        "disk_details": [_fields(disk) for disk in found.disks]}


def counters(found: Diagnostics) -> dict[str, int]:
    """Up to 2.47; memory in KiB."""
    shown: dict[str, int | None] = {f"cpu{cpu.id}_time": cpu.time for cpu in found.cpus}
    for number, disk in enumerate(found.disks):
        name = f"vd{chr(ord('a') + number)}"
        shown |= {f"{name}_read": disk.read_bytes, f"{name}_read_req": disk.read_requests,
                  f"{name}_write": disk.write_bytes, f"{name}_write_req": disk.write_requests,
                  f"{name}_errors": disk.errors_count}
    for number, nic in enumerate(found.nics):
        shown |= {f"vnet{number}_{way}{end}": getattr(nic, f"{way}_{field}")
                  for way in ("rx", "tx") for end, field in (
                      ("", "octets"), ("_errors", "errors"), ("_drop", "drop"),
                      ("_packets", "packets"))}
    if found.memory_maximum is not None:
        shown["memory"] = found.memory_maximum * 1024
    return {name: value for name, value in shown.items() if value is not None}


def _fields(value: typing.Any) -> dict[str, typing.Any]:
    return {name: getattr(value, name) for name in value.__struct_fields__}
