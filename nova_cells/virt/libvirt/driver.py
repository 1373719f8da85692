"""The libvirt driver: the bundle of promises, kept by the files beside it.

May assume one host per ``instances_path``.  Never believes a host's capabilities about kvm,
nor its NUMA cells about memory, which grow while the host warms up.
"""

import contextlib
import os
import shutil
import typing

from oslo_log import log

from nova_cells.domain import errors, tasks
from nova_cells.domain import server as model
from nova_cells.virt import header, identity, protocol
from nova_cells.virt import settings as values
from nova_cells.virt.libvirt import (
    configdrive,
    connection,
    console,
    disk,
    events,
    imagecache,
    paths,
    power,
    xml,
)

LOG = log.getLogger(__name__)
EPHEMERAL = ("mkfs.ext4", "-q", "-F", "-L", "ephemeral0")
SWAP = ("mkswap", "-L", "swap")
TRAITS = ("COMPUTE_GRAPHICS_MODEL_VGA", "COMPUTE_IMAGE_TYPE_QCOW2", "COMPUTE_IMAGE_TYPE_RAW",
          "COMPUTE_STORAGE_BUS_IDE", "COMPUTE_STORAGE_BUS_SATA", "COMPUTE_STORAGE_BUS_SCSI",
          "COMPUTE_STORAGE_BUS_USB", "COMPUTE_STORAGE_BUS_VIRTIO")


class LibvirtDriver(power.LibvirtPower):
    """One host."""

    capabilities = frozenset({"boot", "start", "stop", "reboot", "reboot_hard", "pause",
                              "unpause", "suspend", "resume", "delete"})

    def __init__(self, settings: values.Settings, images: typing.Any) -> None:
        if settings.libvirt is None or settings.instances_path is None:
            raise errors.Bug("the libvirt driver needs its own settings and a directory")
        self._settings, self._host = settings, settings.libvirt
        self._paths = paths.Paths(settings.instances_path)
        self._uuid = identity.host_uuid(self._paths.root, settings.cell, settings.host)
        self._cache = imagecache.ImageCache(self._paths, images, raw=self._host.force_raw_images)
        self._cache_mode = "none" if disk.direct_io(self._paths.root) else "writeback"
        link = connection.Connection(self._host.connection_uri)
        happened = events.Events(link, self.guest, self.guests)
        super().__init__(link, happened)
        link.get()

    def watch(self, tell: events.Tell) -> None:
        """Tell of every change of power; on a thread of the driver's own."""
        self._happened.watch(tell)

    def close(self) -> None:
        """Let go of libvirt; guests keep running."""
        self._happened.close()
        self._link.close()

    # -- what is here --------------------------------------------------------------------------

    def facts(self) -> protocol.HostFacts:
        """What this host is and has, now."""
        with self._link.use("describe the host") as conn:
            inventory = self._settings.ratios.inventory(
                conn.getInfo()[2], _memory_mib(conn), _disk_gib(self._paths.root))
            return protocol.HostFacts(
                uuid=self._uuid, hostname=conn.getHostname(), hypervisor_type=conn.getType(),
                hypervisor_version=conn.getVersion(), inventory=inventory, traits=TRAITS)

    def guests(self) -> list[tasks.GuestSeen]:
        """Every domain that carries our stamp, and every directory that is left of one."""
        left = self._paths.guests()      # first: what is made meanwhile has a domain later
        with self._link.use("list the guests") as conn:
            seen = [self._seen(dom) for dom in conn.listAllDomains(0)]
        found = {guest.uuid: guest for guest in seen if guest is not None}
        for uuid in left:
            found.setdefault(uuid, tasks.GuestSeen(uuid=uuid, power=power.NOSTATE))
        return list(found.values())

    def guest(self, uuid: str) -> tasks.GuestSeen | None:
        """One guest, or None."""
        with self._link.use(f"look at guest {uuid}") as conn:
            dom = connection.find(conn, uuid)
            return None if dom is None else self._seen(dom)

    def _seen(self, dom: typing.Any) -> tasks.GuestSeen | None:
        """None for a domain that is not ours, or that went away while we looked."""
        libvirt = connection.library()
        try:
            element = dom.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, xml.NAMESPACE, 0)
            epoch, ticket = xml.read_stamp(element)
            return tasks.GuestSeen(uuid=dom.UUIDString(), power=power.power_of(dom), epoch=epoch,
                                   ticket=ticket)
        except libvirt.libvirtError as error:
            if error.get_error_code() in (libvirt.VIR_ERR_NO_DOMAIN_METADATA,
                                          libvirt.VIR_ERR_NO_DOMAIN):
                return None
            raise

    # -- building ------------------------------------------------------------------------------

    def fetch_image(self, spec: protocol.GuestSpec) -> None:
        """In the cache, verified and unpacked."""
        self._cache.fetch(_image(spec), spec.server.flavor.disk_gb)

    def create_disk(self, spec: protocol.GuestSpec) -> None:
        """An overlay as large as the flavor says."""
        image = _image(spec)
        found = self._cache.look(image)
        size = header.size_for(found.virtual_size, spec.server.flavor.disk_gb, f"image {image.id}")
        with _writing():
            disk.create_overlay(self._paths.disk(spec.server.uuid), self._cache.path(image),
                                found.disk_format, size)
            for path, more, program in self._blanks(spec):
                disk.create_blank(path, more, program)
        LOG.info("guest=%s disk made bytes=%s", spec.server.uuid, size)

    def _blanks(self, spec: protocol.GuestSpec) -> list[tuple[str, int, tuple[str, ...]]]:
        """The flavor's further disks: path, bytes, what prepares them."""
        flavor, uuid = spec.server.flavor, spec.server.uuid
        wanted = [(paths.EPHEMERAL, flavor.ephemeral_gb * header.GIB, EPHEMERAL),
                  (paths.SWAP, flavor.swap_mb * 1024 ** 2, SWAP)]
        return [(self._paths.guest(uuid, name), size, program)
                for name, size, program in wanted if size]

    def remove_disk(self, uuid: str) -> None:
        """The disks and what was being made of them."""
        self._remove(*self._paths.disks(uuid))

    def write_config_drive(self, spec: protocol.GuestSpec) -> None:
        """The config drive, if the server has one."""
        if spec.server.config_drive:
            configdrive.write(spec, self._paths.config_drive(spec.server.uuid))

    def remove_config_drive(self, uuid: str) -> None:
        """Way back of ``write_config_drive``."""
        drive = self._paths.config_drive(uuid)
        self._remove(drive, drive + ".part")

    def _remove(self, *files: str) -> None:
        """These files of one guest, and its directory if it is empty then."""
        with _writing():
            for file in files:
                paths.forget(file)
        for directory in {os.path.dirname(file) for file in files}:
            with contextlib.suppress(OSError):  # not empty, or not there: both are fine
                os.rmdir(directory)

    def define(self, spec: protocol.GuestSpec) -> None:
        """Known to libvirt; a running guest takes the new stamp at once, the rest when it is
        next started."""
        libvirt = connection.library()
        uuid = spec.server.uuid
        drive = self._paths.config_drive(uuid) if spec.server.config_drive else None
        text = xml.domain(spec, xml.Files(
            disk=self._paths.disk(uuid), console=self._paths.console(uuid), config_drive=drive,
            blanks=tuple(path for path, _, _ in self._blanks(spec)), cache=self._cache_mode),
            self._host)
        with self._link.use(f"define guest {uuid}") as conn:
            dom = conn.defineXML(text)
            if power.power_of(dom) != power.SHUTDOWN:
                dom.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, xml.stamp(spec), xml.PREFIX,
                                xml.NAMESPACE, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        LOG.info("guest=%s defined epoch=%s ticket=%s", uuid, spec.epoch, spec.ticket)

    def undefine(self, uuid: str) -> None:
        """Off and forgotten, with saved memory and console log: they came with it."""
        with self._link.use(f"forget guest {uuid}") as conn:
            dom = connection.find(conn, uuid)
            if dom is not None:
                self._forget(conn, dom)
        self._remove(*self._paths.consoles(uuid))

    def _forget(self, conn: typing.Any, dom: typing.Any) -> None:
        libvirt = connection.library()
        uuid = dom.UUIDString()
        try:
            power.off(dom)
            dom.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
                              | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
                              | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
                              | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
        except libvirt.libvirtError:
            if connection.find(conn, uuid) is not None:     # else somebody was faster
                raise
        LOG.info("guest=%s undefined", uuid)

    def destroy(self, uuid: str) -> None:
        """Nothing is left.  The process first, so that nobody writes while files go."""
        self.undefine(uuid)
        directory = self._paths.guest(uuid)
        with _writing():
            while os.path.isdir(directory):
                # Somebody who removes the same files at the same time is no trouble.
                with contextlib.suppress(FileNotFoundError):
                    shutil.rmtree(directory)
        LOG.info("guest=%s destroyed", uuid)

    def leftovers(self, uuid: str) -> list[str]:
        """What still exists, by name."""
        found: list[str] = []
        with self._link.use(f"look at guest {uuid}") as conn:
            dom = connection.find(conn, uuid)
            if dom is not None:
                found += ["definition"]
                found += ["process"] if power.power_of(dom) != power.SHUTDOWN else []
                found += ["saved memory"] if dom.hasManagedSaveImage() else []
        return found + self._paths.leftovers(uuid)

    # -- console -------------------------------------------------------------------------------

    def console_log(self, uuid: str, lines: int | None) -> str:
        """The last lines of the serial console."""
        if not os.path.isdir(self._paths.guest(uuid)) and self.guest(uuid) is None:
            raise errors.NotFound(f"no guest {uuid} on {self._settings.host}")
        return console.tail(self._paths.console(uuid), lines)


def _image(spec: protocol.GuestSpec) -> model.ImageFacts:
    if spec.server.image is None:
        raise errors.Unsupported("booting without an image is not supported by this host")
    return spec.server.image


@contextlib.contextmanager
def _writing() -> typing.Iterator[None]:
    """What the file system refuses is this host's trouble."""
    try:
        yield
    except OSError as error:
        raise errors.HostTrouble(f"the host's disk refuses: {error.strerror} ({error.filename})")


def _memory_mib(conn: typing.Any) -> int:
    """All of the host's memory, which its NUMA cells and getInfo show only as it is touched."""
    libvirt = connection.library()
    try:
        return conn.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS)["total"] // 1024
    except (libvirt.libvirtError, KeyError):
        with open("/proc/meminfo") as file:
            return int(file.readline().split()[1]) // 1024


def _disk_gib(path: str) -> int:
    found = os.statvfs(path)
    return found.f_blocks * found.f_frsize // header.GIB
