"""GuestSpec to domain XML, and back what we wrote into it.  Pure functions.

May assume that names and paths were checked; every text is escaped all the same.  Never
reads the machine: what depends on it comes in ``LibvirtHost`` and ``Files``.
Sources: libvirt's public domain XML format; image properties as the glance documentation
names them.
"""

import html
import re

from nova_cells.domain import errors, resources
from nova_cells.domain import server as model
from nova_cells.virt import protocol, settings

NAMESPACE, PREFIX = "urn:nova-cells:guest:1", "nova-cells"
_STAMP = re.compile(r"""\b(epoch|ticket)\s*=\s*["'](\d+)["']""")
#: hw_disk_bus to the first device name of that bus.
DISK_BUSES = {"virtio": "vda", "scsi": "sda", "sata": "sda", "ide": "hda", "usb": "sda"}
VIDEO_MODELS = ("vga", "virtio", "cirrus", "qxl", "bochs", "none")


class Files(model.Value, kw_only=True):
    """The files of a guest."""

    disk: str
    console: str
    config_drive: str | None = None
    blanks: tuple[str, ...] = ()         # further raw disks, in order
    cache: str = "none"                  # how QEMU may use the page cache of the host


def tag(name: str, /, *children: str, **attributes: object) -> str:
    """One element; attributes that are None are left out."""
    words = "".join(f' {key.rstrip("_").replace("__", ":")}="{html.escape(str(value))}"'
                    for key, value in attributes.items() if value is not None)
    inside = "".join(children)
    return f"<{name}{words}>{inside}</{name}>" if inside else f"<{name}{words}/>"


def text(name: str, value: object, /, **attributes: object) -> str:
    """One element that holds a text."""
    return tag(name, html.escape(str(value), quote=False), **attributes)


def domain(spec: protocol.GuestSpec, files: Files, host: settings.LibvirtHost) -> str:
    """The domain of a guest."""
    flavor, uuid = spec.server.flavor, spec.server.uuid
    takes = resources.amounts(flavor)
    memory = takes.get(resources.MEMORY_MB, flavor.ram_mb)
    emulated = host.virt_type == "qemu"
    return tag(
        "domain", text("name", spec.name), text("uuid", uuid),
        tag("metadata", _named(stamp(spec))),
        text("memory", memory * 1024, unit="KiB"), text("currentMemory", memory * 1024, unit="KiB"),
        text("vcpu", takes.get(resources.VCPU, flavor.vcpus)),
        _sysinfo(uuid),
        tag("os", text("type", "hvm", arch="x86_64", machine=machine(spec, host)),
            tag("boot", dev="hd"), tag("smbios", mode="sysinfo")),
        tag("features", tag("acpi"), tag("apic"), _translator(host) if emulated else ""),
        _cpu(host), _clock(emulated),
        text("on_poweroff", "destroy"), text("on_reboot", "restart"), text("on_crash", "destroy"),
        tag("devices", *_devices(spec, files, host)),
        type=host.virt_type)


def stamp(spec: protocol.GuestSpec) -> str:
    """What we write into a guest, so that a host can compare: (epoch, ticket).  No namespace:
    libvirt puts that there itself when a running guest's stamp is changed."""
    return tag("guest", epoch=spec.epoch, ticket=spec.ticket, project=spec.server.project_id,
               flavor=spec.server.flavor.name)


def _named(element: str) -> str:
    """The stamp as it stands in a definition, in our namespace."""
    return element.replace("<guest ", f'<{PREFIX}:guest xmlns:{PREFIX}="{NAMESPACE}" ', 1)


def read_stamp(element: str) -> tuple[int, int]:
    """(epoch, ticket) of what ``stamp`` wrote, whatever libvirt made of it."""
    found = {name: int(number) for name, number in _STAMP.findall(element)}
    return found.get("epoch", 0), found.get("ticket", 0)


def machine(spec: protocol.GuestSpec, host: settings.LibvirtHost) -> str:
    """The image's machine type, or the host's."""
    return _properties(spec).get("hw_machine_type") or host.machine_type


def disk_bus(spec: protocol.GuestSpec) -> str:
    """The image's disk bus, or virtio.  ``Invalid`` for one that we do not know."""
    bus = _properties(spec).get("hw_disk_bus") or "virtio"
    if bus not in DISK_BUSES:
        raise errors.Invalid(f"the image asks for hw_disk_bus={bus}: use one of "
                             f"{', '.join(DISK_BUSES)}")
    return bus


def root_device(spec: protocol.GuestSpec) -> str:
    """What the guest calls its root disk."""
    return f"/dev/{DISK_BUSES[disk_bus(spec)]}"


def _properties(spec: protocol.GuestSpec) -> dict[str, str]:
    return spec.server.image.properties if spec.server.image else {}


def _sysinfo(uuid: str) -> str:
    # cloud-init knows an OpenStack guest by this product name.
    system = {"manufacturer": "OpenStack", "product": "OpenStack Compute", "serial": uuid,
              "uuid": uuid, "family": "Virtual Machine"}
    entries = (text("entry", value, name=name) for name, value in system.items())
    return tag("sysinfo", tag("system", *entries), type="smbios")


def _translator(host: settings.LibvirtHost) -> str:
    """Bound the cache of translated code, which QEMU would let grow to 1 GiB per guest."""
    if not host.tb_cache_mib:
        return ""
    return tag("tcg", text("tb-cache", host.tb_cache_mib, unit="MiB"))


def _cpu(host: settings.LibvirtHost) -> str:
    mode = host.cpu_mode or ("none" if host.virt_type == "qemu" else "host-model")
    return "" if mode == "none" else tag("cpu", mode=mode)


def _clock(emulated: bool) -> str:
    timers = () if emulated else (tag("timer", name="pit", tickpolicy="delay"),
                                  tag("timer", name="rtc", tickpolicy="catchup"),
                                  tag("timer", name="hpet", present="no"))
    return tag("clock", *timers, offset="utc")


def _devices(spec: protocol.GuestSpec, files: Files, host: settings.LibvirtHost) -> list[str]:
    modern = "q35" in machine(spec, host)
    bus = disk_bus(spec)
    found = [
        tag("disk", tag("driver", name="qemu", type="qcow2", cache=files.cache, discard="unmap"),
            tag("source", file=files.disk), tag("target", dev=DISK_BUSES[bus], bus=bus),
            text("serial", spec.server.uuid[:20]), type="file", device="disk")]
    for letter, path in zip("bc", files.blanks, strict=False):
        found.append(tag(
            "disk", tag("driver", name="qemu", type="raw", cache=files.cache, discard="unmap"),
            tag("source", file=path), tag("target", dev=DISK_BUSES[bus][:2] + letter, bus=bus),
            type="file", device="disk"))
    if bus == "scsi":
        found.append(tag("controller", type="scsi", model="virtio-scsi"))
    found.append(tag("controller", type="usb", model="none" if bus != "usb" else "qemu-xhci"))
    if files.config_drive:
        # Debian's cloud kernel has no AHCI: IDE where the machine has it.
        found.append(tag(
            "disk", tag("driver", name="qemu", type="raw"), tag("source", file=files.config_drive),
            tag("target", dev="sde" if modern else "hdd", bus="sata" if modern else "ide"),
            tag("readonly"), type="file", device="cdrom"))
    found.append(tag("serial", tag("log", file=files.console, append="on"), tag("target", port=0),
                     type="pty"))
    found += _display(spec, host)
    if host.rng:
        found.append(tag("rng", text("backend", "/dev/urandom", model="random"), model="virtio"))
    period = tag("stats", period=host.mem_stats_period) if host.mem_stats_period else ""
    found.append(tag("memballoon", period, model="virtio"))
    return found


def _display(spec: protocol.GuestSpec, host: settings.LibvirtHost) -> list[str]:
    if not host.vnc_enabled:
        return []
    model_ = _properties(spec).get("hw_video_model") or "vga"
    if model_ not in VIDEO_MODELS:
        raise errors.Invalid(f"the image asks for hw_video_model={model_}: use one of "
                             f"{', '.join(VIDEO_MODELS)}")
    return [tag("graphics", tag("listen", type="address", address=host.vnc_listen),
                type="vnc", autoport="yes"),
            tag("video", tag("model", type=model_))]
