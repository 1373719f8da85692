"""Start and stop real guests.

Every call looks at what the guest is, does what is missing and looks again, so a repeated
call changes nothing and two racers both see the end that they asked for.  May assume that
guests ignore what they are asked; patience is counted on the monotonic clock.
"""

import time
import typing

from oslo_log import log

from nova_cells.domain import errors, lifecycle
from nova_cells.virt.libvirt import connection, events, xml

LOG = log.getLogger(__name__)
NOSTATE, RUNNING = lifecycle.NOSTATE, lifecycle.RUNNING
PAUSED, SHUTDOWN = lifecycle.PAUSED, lifecycle.SHUTDOWN
LOOK = 0.2                               # seconds between looks at a guest that is asked to stop
AGAIN = 10.0                             # seconds until a guest that may not have listened is asked
TRIES = 5                                # moves until somebody else's moves are a conflict


def power_of(dom: typing.Any) -> int:
    """The power state that users see.  A guest that is shutting down still runs."""
    libvirt = connection.library()
    return {libvirt.VIR_DOMAIN_NOSTATE: lifecycle.NOSTATE,
            libvirt.VIR_DOMAIN_RUNNING: RUNNING,
            libvirt.VIR_DOMAIN_BLOCKED: RUNNING,
            libvirt.VIR_DOMAIN_PAUSED: PAUSED,
            libvirt.VIR_DOMAIN_SHUTDOWN: RUNNING,
            libvirt.VIR_DOMAIN_SHUTOFF: SHUTDOWN,
            libvirt.VIR_DOMAIN_CRASHED: lifecycle.CRASHED,
            libvirt.VIR_DOMAIN_PMSUSPENDED: lifecycle.SUSPENDED}.get(dom.state()[0], 0)


class LibvirtPower:
    """The power of the guests of one connection."""

    def __init__(self, link: connection.Connection, happened: events.Events) -> None:
        self._link, self._happened = link, happened

    def start(self, uuid: str) -> None:
        """Running; from saved memory if there is any."""
        with self._link.domain(uuid, "start") as dom:
            self._run(dom)
        LOG.info("guest=%s power=running by=start", uuid)

    def resume(self, uuid: str) -> None:
        """Running again from the saved memory; started afresh if there is none."""
        with self._link.domain(uuid, "resume") as dom:
            self._run(dom)
        LOG.info("guest=%s power=running by=resume", uuid)

    def stop(self, uuid: str, patience: float) -> None:
        """Asked by ACPI, then switched off."""
        with self._link.domain(uuid, "stop") as dom:
            obeyed = power_of(dom) == RUNNING and self._ask_off(dom, patience)
            off(dom)
        LOG.info("guest=%s power=off by=stop obeyed=%s", uuid, obeyed)

    def reboot(self, uuid: str, patience: float) -> bool:
        """Ask; True once libvirt saw it restart."""
        libvirt = connection.library()
        with self._link.domain(uuid, "reboot") as dom:
            if power_of(dom) != RUNNING:
                raise errors.Conflict(f"guest {uuid} is not running")
            before = self._happened.reboots(uuid)
            until = time.monotonic() + patience
            _quietly(dom.reboot, libvirt.VIR_DOMAIN_REBOOT_ACPI_POWER_BTN)
            while time.monotonic() < until:
                if self._happened.reboots(uuid) > before:
                    LOG.info("guest=%s power=running by=reboot", uuid)
                    return True
                if power_of(dom) != RUNNING:
                    break
                self._happened.wait(min(LOOK, until - time.monotonic()))
            return self._happened.reboots(uuid) > before

    def reset(self, uuid: str) -> None:
        """Off and on afresh."""
        with self._link.domain(uuid, "reset") as dom:
            if dom.hasManagedSaveImage():
                _quietly(dom.managedSaveRemove)
            off(dom)
            self._run(dom)
        LOG.info("guest=%s power=running by=reset", uuid)

    def pause(self, uuid: str) -> None:
        """Frozen."""
        with self._link.domain(uuid, "pause") as dom:
            self._freeze(dom, uuid, PAUSED, dom.suspend)
        LOG.info("guest=%s power=paused by=pause", uuid)

    def unpause(self, uuid: str) -> None:
        """Running again."""
        with self._link.domain(uuid, "unpause") as dom:
            self._freeze(dom, uuid, RUNNING, dom.resume)
        LOG.info("guest=%s power=running by=unpause", uuid)

    def suspend(self, uuid: str) -> None:
        """Memory saved by libvirt, process gone; a paused one will run when it is resumed."""
        libvirt = connection.library()
        with self._link.domain(uuid, "suspend") as dom:
            if power_of(dom) in (RUNNING, PAUSED):
                _quietly(dom.managedSave, libvirt.VIR_DOMAIN_SAVE_RUNNING)
            if power_of(dom) != SHUTDOWN or not dom.hasManagedSaveImage():
                raise errors.Conflict(f"guest {uuid} is off, so it cannot be suspended: start it")
        LOG.info("guest=%s power=off by=suspend", uuid)

    # -- how it works --------------------------------------------------------------------------

    def _freeze(self, dom: typing.Any, uuid: str, wanted: int, move: typing.Any) -> None:
        if power_of(dom) not in (RUNNING, PAUSED):
            raise errors.Conflict(f"guest {uuid} is off, so it can be neither paused nor unpaused: "
                                  f"start it")
        if power_of(dom) != wanted:
            _quietly(move)
        if power_of(dom) != wanted:
            raise errors.Conflict(f"guest {uuid} changed while it was being paused or unpaused")

    def _run(self, dom: typing.Any) -> None:
        for _ in range(TRIES):
            power = power_of(dom)
            if power == RUNNING:
                return
            if power == PAUSED:
                _quietly(dom.resume)
            elif power == lifecycle.SUSPENDED:
                _quietly(dom.pMWakeup)
            elif power == lifecycle.CRASHED:
                off(dom)
            else:
                saved = dom.hasManagedSaveImage()
                _quietly(dom.create)
                if saved:
                    _renew_stamp(dom)
        raise errors.HostTrouble(f"guest {dom.UUIDString()} does not stay on: see the "
                                 f"hypervisor's log")

    def _ask_off(self, dom: typing.Any, patience: float) -> bool:
        """Press the power button until the guest is off or patience ends."""
        libvirt = connection.library()
        until = time.monotonic() + patience
        pressed = -AGAIN
        while time.monotonic() < until:
            if time.monotonic() - pressed >= AGAIN:
                _quietly(dom.shutdownFlags, libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
                pressed = time.monotonic()
            self._happened.wait(min(LOOK, until - time.monotonic()))
            if power_of(dom) == SHUTDOWN:
                return True
        return False


def off(dom: typing.Any) -> None:
    """Switched off: the process gets a moment to write what it holds, then it is killed."""
    libvirt = connection.library()
    if power_of(dom) == SHUTDOWN:
        return
    try:
        dom.destroyFlags(libvirt.VIR_DOMAIN_DESTROY_GRACEFUL)
    except libvirt.libvirtError:
        if power_of(dom) != SHUTDOWN:
            _quietly(dom.destroy)
    if power_of(dom) != SHUTDOWN:
        raise errors.HostTrouble(f"the process of guest {dom.UUIDString()} cannot be ended: see "
                                 f"the hypervisor's log")


def _quietly(move: typing.Any, *flags: int) -> None:
    """Make a move that somebody else may have made meanwhile; the caller looks again."""
    libvirt = connection.library()
    try:
        move(*flags)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_OPERATION_INVALID:
            raise
        LOG.debug("a guest moved by itself: %s", error)


def _renew_stamp(dom: typing.Any) -> None:
    """Saved memory brings back the definition of its day; the newest ticket is in the file."""
    libvirt = connection.library()
    kind = libvirt.VIR_DOMAIN_METADATA_ELEMENT
    try:
        newest = dom.metadata(kind, xml.NAMESPACE, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
        dom.setMetadata(kind, newest, xml.PREFIX, xml.NAMESPACE, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    except libvirt.libvirtError as error:
        LOG.warning("guest=%s keeps an old ticket: %s", dom.UUIDString(), error)
