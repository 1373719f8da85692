"""What a hypervisor driver promises: a bundle of small protocols.

Every call may be repeated: doing again what is done changes nothing and succeeds.  Every
call blocks until it is true or raises ``domain.errors``: ``Conflict`` (not possible in the
guest's state), ``NotFound`` (no such guest), ``Invalid`` (the image or the request is bad:
another host would do no better), ``Unsupported``, or ``HostTrouble`` (this host cannot;
another may).  Units: MiB for memory, GiB for disks, seconds for time.
"""

import collections.abc
import typing

from nova_cells.domain import errors, resources, tasks
from nova_cells.domain import server as model

HostTrouble = errors.HostTrouble


class HostFacts(model.Value, kw_only=True):
    """What a host is and has.  ``uuid`` outlives restarts: it is kept on the host's disk."""

    uuid: str
    hostname: str                        # hypervisor_hostname
    hypervisor_type: str
    hypervisor_version: int
    inventory: dict[str, resources.Inventory]
    traits: tuple[str, ...] = ()
    cpu_info: str = ""                   # JSON text: arch, model, vendor, topology, features


class GuestSpec(model.Value, kw_only=True):
    """All that making a guest needs."""

    server: model.Server
    epoch: int
    ticket: int                          # written into the guest, so that a host can compare
    name: str                            # the hypervisor's name for it, unique on the host
    metadata: dict                       # openstack/latest/meta_data.json of the config drive
    user_data: bytes | None = None
    network_data: dict = {}
    files: tuple[tuple[str, bytes], ...] = ()


class Listing(typing.Protocol):
    """What is here."""

    def facts(self) -> HostFacts:
        """What this host is and has, now."""

    def guests(self) -> list[tasks.GuestSeen]:
        """Every guest that this driver made and of which anything still exists: running or not,
        defined or just a disk that a killed agent left behind."""

    def guest(self, uuid: str) -> tasks.GuestSeen | None:
        """One guest, or None."""

    def watch(self, tell: collections.abc.Callable[[tasks.GuestSeen], None]) -> None:
        """Call ``tell`` (from any thread) whenever a guest's power changes by itself or by us."""


class Building(typing.Protocol):
    """The steps of making a guest, each with its way back."""

    def fetch_image(self, spec: GuestSpec) -> None:
        """Have the server's image in this host's cache, verified by checksum.  No way back
        needed: a cached image is harmless."""

    def create_disk(self, spec: GuestSpec) -> None:
        """The guest's disk, backed by the cached image, as large as the flavor says."""

    def remove_disk(self, uuid: str) -> None:
        """Way back of ``create_disk``; also removes the guest's directory when it is empty."""

    def write_config_drive(self, spec: GuestSpec) -> None:
        """The config drive, if ``spec.server.config_drive``."""

    def remove_config_drive(self, uuid: str) -> None:
        """Way back of ``write_config_drive``."""

    def define(self, spec: GuestSpec) -> None:
        """Make the guest known to the hypervisor, not running.  Redefines with a new ticket."""

    def undefine(self, uuid: str) -> None:
        """Way back of ``define``: the hypervisor forgets it, with the saved memory and the
        console log that came with it.  Powers it off if it must."""

    def destroy(self, uuid: str) -> None:
        """Nothing of the guest is left: process, definition, disk, config drive, saved state,
        console log.  Succeeds when there is nothing."""

    def leftovers(self, uuid: str) -> list[str]:
        """Names of everything of this guest that still exists on the host (for checks)."""


class Power(typing.Protocol):
    """Start and stop a guest."""

    def start(self, uuid: str) -> None:
        """Running.  A suspended guest resumes from its saved memory."""

    def stop(self, uuid: str, patience: float) -> None:
        """Off: asked by ACPI, and after ``patience`` seconds switched off."""

    def reboot(self, uuid: str, patience: float) -> bool:
        """Ask the guest to restart; False if it did not within ``patience`` (caller goes hard)."""

    def reset(self, uuid: str) -> None:
        """Switched off and on, whatever state it was in: running at the end."""

    def pause(self, uuid: str) -> None:
        """Frozen, memory kept.  ``Conflict`` unless it runs or is frozen."""

    def unpause(self, uuid: str) -> None:
        """Running again.  ``Conflict`` unless it is frozen or runs."""

    def suspend(self, uuid: str) -> None:
        """Memory saved to disk, process gone."""

    def resume(self, uuid: str) -> None:
        """Running again from the saved memory; started afresh if there is none."""


class Console(typing.Protocol):
    """What a guest says."""

    def console_log(self, uuid: str, lines: int | None) -> str:
        """The last ``lines`` lines (None: at most the last 100 KiB) of the serial console."""


@typing.runtime_checkable
class Driver(Listing, Building, Power, Console, typing.Protocol):
    """The bundle.  ``capabilities`` names the verbs of the lifecycle table it can do."""

    capabilities: frozenset[str]

    def close(self) -> None:
        """Let go of the hypervisor; guests keep running."""
