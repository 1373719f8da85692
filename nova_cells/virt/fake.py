"""A mock hypervisor of equal standing: thousands of guests, no machine behind them.

It keeps every promise of ``protocol`` as a real host does: its guests outlive the process
when it has a directory, it refuses what does not fit, it tells of changes of power, and it
says truthfully what of a guest still exists.  What only tests need stands at the end.
May assume nothing of the machine.  Never draws a random number or reads a clock: with no
directory it is exactly repeatable.
"""

import collections
import collections.abc
import contextlib
import os
import tempfile
import threading
import time
import typing

import msgspec
from oslo_log import log

from nova_cells.domain import errors, lifecycle, resources, tasks
from nova_cells.domain import server as model
from nova_cells.virt import (
    fake_inplace,
    fake_interfaces,
    fake_live,
    fake_moves,
    fake_snapshots,
    fake_telling,
    fake_volumes,
    fetch,
    header,
    identity,
    journal,
    protocol,
)
from nova_cells.virt import settings as values
from nova_cells.virt import volumes as disks

LOG = log.getLogger(__name__)
RUNNING, PAUSED, SHUTDOWN = lifecycle.RUNNING, lifecycle.PAUSED, lifecycle.SHUTDOWN
LOG_LIMIT = 16 * 1024                    # characters of console kept per guest
Tell = collections.abc.Callable[[tasks.GuestSeen], None]

LARGEST_DISK = 2**20              # GiB
CPU_INFO = ('{"arch": "x86_64", "model": "none", "vendor": "fake", "features": [], '
            '"topology": {"sockets": 1, "cores": 1, "threads": 1}}')


class Guest(msgspec.Struct, omit_defaults=True):
    """All that a fake host knows of one guest; blank when nothing of it exists."""

    uuid: str
    name: str = ""
    epoch: int = 0
    ticket: int = 0
    power: int = SHUTDOWN
    defined: bool = False
    disk_gb: int | None = None
    config_drive: bool = False
    saved: bool = False
    console: str = ""
    vcpus: int = 0
    memory_mb: int = 0
    told: tuple[str, str] = ("", "")     # uuid and hostname of the metadata
    on_volume: bool = False              # its root disk is a volume
    volumes: dict[str, disks.GuestDisk] = {}
    nics: dict[str, str] = {}            # port -> mac
    knows: dict[str, str] = {}           # what else it was told; of secrets, digests
    ephemeral: int = 0                   # ticket at which its ephemeral disk was made
    aside: fake_inplace.Old | None = None    # what a rebuild replaces
    rescue: str = ""                     # the image that it is rescued from
    rescue_password: str = ""            # digest of what that was told
    passwords: int = 0                   # how often one was set inside
    dumps: int = 0                       # how often its kernel was made to write one
    snapshots: tuple[str, ...] = ()      # copies of its disk, by the ids of their images
    arriving: bool = False               # it waits for what another host hands over
    handed: str = ""                     # what went over to another host; it is off here
    parked: fake_moves.Parked | None = None      # what is kept of it while it moves elsewhere
    came: str = ""                       # the move that brought its disk

    def artefacts(self) -> list[str]:
        """What exists of it."""
        there = {"process": self.power in (RUNNING, PAUSED), "definition": self.defined,
                 "saved memory": self.saved, "disk": self.disk_gb is not None,
                 "config drive": self.config_drive, "console log": bool(self.console),
                 "old disk": self.aside is not None, "rescue disk": bool(self.rescue),
                 "snapshot": bool(self.snapshots), "parked disk": self.parked is not None}
        return [*(name for name, exists in there.items() if exists),
                *(f"volume {volume}" for volume in self.volumes),
                *(f"interface {port}" for port in self.nics)]

    def seen(self) -> tasks.GuestSeen:
        """As the protocol shows it."""
        return tasks.GuestSeen(uuid=self.uuid, power=self.power, epoch=self.epoch,
                               ticket=self.ticket)

    def say(self, *lines: str) -> None:
        """Append to the console."""
        self.console = (self.console + "".join(f"{line}\n" for line in lines))[-LOG_LIMIT:]

    def run(self) -> None:
        """It runs here, wherever its memory comes from."""
        self.power, self.saved, self.arriving, self.handed = RUNNING, False, False, ""

    def boot(self) -> None:
        """Power on afresh, as the smallest of guests would show it."""
        uuid, hostname = self.told
        self.run()
        disk = "Rescue" if self.rescue else "Hard"
        self.say("SeaBIOS (fake)", f"Booting from {disk} Disk...", "Linux version 6.1.0-fake",
                 f"### instance-uuid {uuid} hostname {hostname}", "=== system boot done ===",
                 f"{hostname} login:")


class FakeDriver(fake_telling.Telling, fake_volumes.FakeVolumes, fake_interfaces.FakeInterfaces,
                 fake_inplace.Inplace, fake_snapshots.Snapshots,
                 fake_live.FakeLive, fake_moves.Moves):
    """The mock hypervisor of one host."""

    capabilities = frozenset({"boot", "start", "stop", "reboot", "reboot_hard", "pause",
                              "unpause", "suspend", "resume", "delete", "diagnostics", "consoles",
                              "volumes", "assisted_snapshots", "interfaces", "snapshot", "backup",
                              "shelve", "shelve_offload", "unshelve", "live_migrate", "evacuate",
                              "cache_images", "resize"}
                             ) | fake_inplace.CAPABILITIES

    def __init__(self, settings: values.Settings, images: typing.Any = None) -> None:
        self._settings, self._images = settings, images
        directory = settings.instances_path
        self._uuid = identity.host_uuid(directory, settings.cell, settings.host)
        path = os.path.join(directory, "guests.jsonl") if directory else None
        self._journal = journal.Journal(path, Guest)
        self.area = fake_moves.area(settings.transfer_path, settings.cell)
        self._guests: dict[str, Guest] = self._journal.load()
        self._cache: dict[str, int] = {}         # image id: its virtual size in bytes
        self._inventory = settings.ratios.inventory(
            settings.fake.vcpus, settings.fake.memory_mb, settings.fake.disk_gb)
        self._used = collections.Counter[str]()
        for guest in self._guests.values():
            self._used.update(_takes(guest))
        self._lock = threading.RLock()
        self._fetching = threading.Lock()        # one download at a time
        self._watchers: list[Tell] = []
        self._failures: dict[str, collections.deque[tuple[Exception, bool]]] = {}
        self.deaf: set[str] = set()      # guests that ignore ACPI
        self.delay = settings.fake.boot_delay
        fake_live.FakeLive.__init__(self)

    def close(self) -> None:
        """Let go of the directory; guests keep running."""
        with self._lock:
            self._journal.close()
            self._watchers.clear()

    # -- what is here --------------------------------------------------------------------------

    def facts(self) -> protocol.HostFacts:
        """What this host is and has."""
        with self._failing("facts"):
            return protocol.HostFacts(
                uuid=self._uuid, hostname=self._settings.host, hypervisor_type="fake",
                hypervisor_version=1000000, inventory=dict(self._inventory), cpu_info=CPU_INFO)

    def guests(self) -> list[tasks.GuestSeen]:
        """Every guest of which anything exists, a lone disk included."""
        with self._failing("guests"), self._lock:
            return [guest.seen() for guest in self._guests.values() if guest.artefacts()]

    def guest(self, uuid: str) -> tasks.GuestSeen | None:
        """One guest, or None."""
        with self._failing("guest"), self._lock:
            guest = self._guests.get(uuid)
            return guest.seen() if guest and guest.defined else None

    def watch(self, tell: Tell) -> None:
        """Tell of every change of power; on the thread that made it."""
        with self._lock:
            self._watchers.append(tell)

    # -- building ------------------------------------------------------------------------------

    def fetch_image(self, spec: protocol.GuestSpec) -> None:
        """Cached once per host.  The bytes are verified, then thrown away."""
        image = spec.server.image
        with self._failing("fetch_image"), self._fetching:
            if image is not None and image.id not in self._cache:
                self._cache[image.id] = self._fetch(image, spec.server.flavor.disk_gb)

    def cache_image(self, image: model.ImageFacts) -> None:
        """Have it before anybody boots from it; what it is booted into is looked at then."""
        with self._failing("cache_image"), self._fetching:
            if image.id not in self._cache:
                self._cache[image.id] = self._fetch(image, LARGEST_DISK)

    def _fetch(self, image: model.ImageFacts, disk_gb: int) -> int:
        """The image's virtual size, after all that a real host would check."""
        if self._images is None:
            return 0
        with tempfile.TemporaryDirectory(prefix="nova-cells-fake-") as directory:
            path = os.path.join(directory, "image")
            fetch.download(self._images, image, path)
            found = header.inspect(path, image.disk_format, f"image {image.id}")
        header.size_for(found.virtual_size, disk_gb, f"image {image.id}")
        return found.virtual_size

    def create_disk(self, spec: protocol.GuestSpec) -> None:
        """Never smaller than it was; refused when the host's disk is full."""
        image = spec.server.image
        with self._changing("create_disk", spec.server.uuid) as guest:
            if image is not None:
                self._suits(image, spec.server.flavor)
            guest.on_volume = image is None
            size = resources.amounts(spec.server.flavor, image is None).get(resources.DISK_GB, 0)
            size = max(size, guest.disk_gb or 0)
            self._fits(resources.DISK_GB, size - (guest.disk_gb or 0))
            guest.disk_gb = size
            if spec.server.flavor.ephemeral_gb and not guest.ephemeral:
                guest.ephemeral = spec.ticket

    def _suits(self, image: model.ImageFacts, flavor: model.Flavor) -> None:
        if image.id not in self._cache:
            raise protocol.HostTrouble(f"image {image.id} is not in the cache of "
                                       f"{self._settings.host}: fetch it first")
        header.size_for(self._cache[image.id], flavor.disk_gb, f"image {image.id}")

    def remove_disk(self, uuid: str) -> None:
        """Way back of ``create_disk``."""
        with self._changing("remove_disk", uuid) as guest:
            guest.disk_gb, guest.ephemeral, guest.came = None, 0, ""
            if not guest.defined:        # they came with the disk
                guest.console, guest.volumes = "", {}

    def write_config_drive(self, spec: protocol.GuestSpec) -> None:
        """Only a note that it exists."""
        with self._changing("write_config_drive", spec.server.uuid) as guest:
            guest.config_drive = guest.config_drive or spec.server.config_drive

    def remove_config_drive(self, uuid: str) -> None:
        """Way back of ``write_config_drive``."""
        with self._changing("remove_config_drive", uuid) as guest:
            guest.config_drive = False

    def define(self, spec: protocol.GuestSpec) -> None:
        """Known, not running; a running guest takes the new ticket and keeps running."""
        takes = resources.amounts(spec.server.flavor)
        vcpus, memory_mb = takes.get(resources.VCPU, 0), takes.get(resources.MEMORY_MB, 0)
        with self._changing("define", spec.server.uuid) as guest:
            self._fits(resources.VCPU, vcpus - guest.vcpus)
            self._fits(resources.MEMORY_MB, memory_mb - guest.memory_mb)
            guest.defined, guest.name = True, spec.name
            guest.arriving, guest.handed = False, ""
            guest.epoch, guest.ticket = spec.epoch, spec.ticket
            guest.vcpus, guest.memory_mb = vcpus, memory_mb
            guest.told = (str(spec.metadata.get("uuid", "")),
                          str(spec.metadata.get("hostname", "")))
            guest.knows = fake_inplace.knows(spec)

    def undefine(self, uuid: str) -> None:
        """Forgotten; off first, its saved memory and its console log thrown away."""
        with self._changing("undefine", uuid) as guest:
            guest.power, guest.saved = SHUTDOWN, False
            guest.defined, guest.vcpus, guest.memory_mb, guest.console = False, 0, 0, ""
            guest.nics = {}
            guest.arriving, guest.handed = False, ""

    def destroy(self, uuid: str) -> None:
        """Nothing is left."""
        with self._changing("destroy", uuid) as guest:
            guest.power, guest.saved, guest.defined = SHUTDOWN, False, False
            guest.disk_gb, guest.config_drive, guest.console = None, False, ""
            guest.vcpus, guest.memory_mb, guest.volumes, guest.nics = 0, 0, {}, {}
            guest.aside, guest.rescue, guest.rescue_password = None, "", ""
            guest.snapshots = ()
            guest.arriving, guest.handed = False, ""
            guest.came = ""
            if guest.parked is not None:
                self.area.drop(uuid, guest.parked.move)
                guest.parked = None
            self.deaf.discard(uuid)

    def leftovers(self, uuid: str) -> list[str]:
        """What still exists, by name."""
        with self._lock:
            guest = self._guests.get(uuid)
            return guest.artefacts() if guest else []

    # -- power ---------------------------------------------------------------------------------

    def start(self, uuid: str) -> None:
        """Running, from wherever it is."""
        self._run("start", uuid)

    def resume(self, uuid: str) -> None:
        """Running, from its saved memory if there is one."""
        self._run("resume", uuid)

    def stop(self, uuid: str, patience: float) -> None:
        """Off at once: a fake guest obeys, or is switched off."""
        with self._changing("stop", uuid, there=True) as guest:
            if guest.power == RUNNING and uuid not in self.deaf:
                guest.say("reboot: Power down")
            guest.power = SHUTDOWN

    def reboot(self, uuid: str, patience: float) -> bool:
        """Restarted, unless it is deaf."""
        with self._changing("reboot", uuid, there=True) as guest:
            if guest.power != RUNNING:
                raise errors.Conflict(f"guest {uuid} is not running")
            if uuid in self.deaf:
                return False
            guest.boot()
            return True

    def reset(self, uuid: str) -> None:
        """Off and on, saved memory thrown away; one that is parked comes back."""
        self._wait()
        with self._changing("reset", uuid) as guest:
            if guest.parked is not None and not guest.defined:
                self._restore(guest)
            if not guest.defined:
                raise errors.NotFound(f"no guest {uuid} on {self._settings.host}")
            self._bootable(guest)
            guest.rescue = ""            # switched on afresh it is a guest of its own disk
            guest.boot()

    def pause(self, uuid: str) -> None:
        """Frozen."""
        with self._changing("pause", uuid, there=True) as guest:
            if guest.power not in (RUNNING, PAUSED):
                raise errors.Conflict(f"guest {uuid} is not running, so it cannot be paused")
            guest.power = PAUSED

    def unpause(self, uuid: str) -> None:
        """Running again."""
        with self._changing("unpause", uuid, there=True) as guest:
            if guest.power not in (RUNNING, PAUSED):
                raise errors.Conflict(f"guest {uuid} is off, so it cannot be unpaused: start it")
            guest.power = RUNNING

    def suspend(self, uuid: str) -> None:
        """Memory saved, process gone."""
        with self._changing("suspend", uuid, there=True) as guest:
            if guest.power not in (RUNNING, PAUSED):
                if guest.saved:
                    return
                raise errors.Conflict(f"guest {uuid} is off, so it cannot be suspended: start it")
            guest.power, guest.saved = SHUTDOWN, True

    def console_log(self, uuid: str, lines: int | None) -> str:
        """The last lines of what it said."""
        with self._failing("console_log"), self._lock:
            guest = self._guests.get(uuid)
            if guest is None:
                raise errors.NotFound(f"no guest {uuid} on {self._settings.host}")
            text = guest.console
        if lines is None:
            return text
        return "".join(text.splitlines(keepends=True)[-lines:]) if lines > 0 else ""

    # -- how it works --------------------------------------------------------------------------

    def _run(self, method: str, uuid: str) -> None:
        self._wait()
        with self._changing(method, uuid, there=True) as guest:
            if guest.power == PAUSED or guest.saved:
                guest.run()
            elif guest.power != RUNNING:
                self._bootable(guest)
                guest.boot()

    def _bootable(self, guest: Guest) -> None:
        roots = [disk for disk in guest.volumes.values() if disk.root]
        if guest.disk_gb is None or (guest.on_volume and not roots):
            raise protocol.HostTrouble(f"guest {guest.uuid} has no disk on {self._settings.host}")

    def _fits(self, resource: str, more: int) -> None:
        room = self._inventory.get(resource)
        if more > 0 and (room is None or self._used[resource] + more > room.capacity):
            raise protocol.HostTrouble(f"{self._settings.host} has not enough {resource} left")

    def _wait(self) -> None:
        if self.delay > 0:
            time.sleep(self.delay)

    @contextlib.contextmanager
    def _failing(self, method: str) -> collections.abc.Iterator[None]:
        """Raise what a test asked for, before or after the work."""
        failures = self._failures.get(method)
        problem, after = failures.popleft() if failures else (None, False)
        if problem is not None and not after:
            raise problem
        yield
        if problem is not None:
            raise problem

    @contextlib.contextmanager
    def _changing(self, method: str, uuid: str, there: bool = False,
                  ) -> collections.abc.Iterator[Guest]:
        """One change of one guest: saved if the body does not raise, then told of."""
        with self._failing(method):
            with self._lock:
                guest = self._guests.get(uuid)
                if there and (guest is None or not guest.defined):
                    raise errors.NotFound(f"no guest {uuid} on {self._settings.host}")
                before = msgspec.structs.replace(guest) if guest else Guest(uuid)
                guest = msgspec.structs.replace(before)
                yield guest
                self._save(before, guest)
            if guest.power != before.power:
                LOG.debug("host=%s guest=%s power=%s by=%s", self._settings.host, uuid,
                          guest.power, method)
                for tell in tuple(self._watchers):
                    tell(guest.seen())

    def _save(self, before: Guest, guest: Guest) -> None:
        if guest == before:
            return
        self._used.subtract(_takes(before))
        self._used.update(_takes(guest))
        gone = not guest.artefacts()
        if gone:
            self._guests.pop(guest.uuid, None)
        else:
            self._guests[guest.uuid] = guest
        self._journal.keep(guest.uuid, None if gone else guest, self._guests)

    # -- for tests -----------------------------------------------------------------------------

    def fail_next(self, method: str, problem: Exception, after: bool = False) -> None:
        """Make the next call of a method fail: before its work, or after it (a lost answer)."""
        self._failures.setdefault(method, collections.deque()).append((problem, after))

    def crash_guest(self, uuid: str) -> None:
        """The guest's process dies."""
        with self._changing("crash_guest", uuid, there=True) as guest:
            guest.power = SHUTDOWN

    def power_off_inside(self, uuid: str) -> None:
        """Its owner typed poweroff."""
        with self._changing("power_off_inside", uuid, there=True) as guest:
            guest.say("reboot: Power down")
            guest.power = SHUTDOWN

    def lose_power(self) -> None:
        """The whole host goes off and on: nothing runs, nobody is told."""
        with self._lock:
            for guest in list(self._guests.values()):
                if guest.power != SHUTDOWN:
                    self._save(guest, msgspec.structs.replace(guest, power=SHUTDOWN))


def _takes(guest: Guest) -> dict[str, int]:
    """What a guest takes of the host."""
    return {resources.VCPU: guest.vcpus, resources.MEMORY_MB: guest.memory_mb,
            resources.DISK_GB: (guest.disk_gb or 0) + (
                guest.parked.disk_gb or 0 if guest.parked is not None else 0)}
