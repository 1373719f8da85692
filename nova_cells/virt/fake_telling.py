# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a fake host tells of its guests when it is asked: diagnostics, consoles.

May assume the fake driver's own ``_failing``, ``_lock`` and ``_guests``.  The figures are made up,
and always the same for the same guest.
"""

import typing
import zlib

from nova_cells.domain import diagnostics, errors, lifecycle
from nova_cells.virt import telling

_FIRST_PORT = 5900


class Telling:
    """A part of the fake driver."""

    _failing: typing.Any
    _lock: typing.Any
    _guests: dict[str, typing.Any]

    def _told(self, method: str, uuid: str) -> typing.Any:
        with self._failing(method), self._lock:
            guest = self._guests.get(uuid)
        if guest is None or not guest.defined:
            raise errors.NotFound(f"Instance {uuid} could not be found.")
        return guest

    def diagnostics(self, uuid: str) -> diagnostics.Diagnostics:
        """Counters of a guest that has been up for some minutes; of one that is off, none."""
        guest = self._told("diagnostics", uuid)
        runs = guest.power in (lifecycle.RUNNING, lifecycle.PAUSED)
        cpus = [diagnostics.Cpu(id=number, time=17_300_000_000, utilisation=15)
                for number in range(guest.vcpus)]
        disk = diagnostics.Disk(read_bytes=262144, read_requests=112, write_bytes=5778432,
                                write_requests=488, errors_count=0)
        return diagnostics.Diagnostics(
            power=guest.power, hypervisor="fake", hypervisor_os="linux",
            config_drive=guest.config_drive, memory_maximum=guest.memory_mb,
            memory_used=guest.memory_mb if runs else 0, cpus=tuple(cpus) if runs else (),
            disks=(disk,) if guest.disk_gb is not None else ())

    def console_end(self, uuid: str, kind: str) -> telling.ConsoleEnd:
        """A port that is always the same for one guest and kind; nobody listens there."""
        self._told("console_end", uuid)
        port = _FIRST_PORT + zlib.crc32(f"{uuid}{kind}".encode()) % 10_000
        return telling.ConsoleEnd(
            port=port, tls_port=port + 1 if kind.startswith("spice") else None,
            path=f"/{kind}/{uuid}" if kind == "webmks" else None)
