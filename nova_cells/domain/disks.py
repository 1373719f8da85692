# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a create request says of disks: block device mappings, old form and new, as one value.

Pure: nothing is looked up here.  The rules and the words that clients match are those of the
public api-ref, "Create server", ``block_device_mapping`` and ``block_device_mapping_v2``.
"""

import collections.abc
import re
import typing

from nova_cells.domain import errors
from nova_cells.domain import server as model

Json = dict[str, typing.Any]
VOLUME, IMAGE, SNAPSHOT, BLANK, LOCAL, SWAP = (
    "volume", "image", "snapshot", "blank", "local", "swap")
MAX_LOCAL = 3                            # max_local_block_devices
BUSES = frozenset(("fdc", "ide", "sata", "scsi", "usb", "virtio", "xen", "lxc", "uml"))
PREFIX = "Block Device Mapping is Invalid"
SEQUENCE = (f"{PREFIX}: Boot sequence for the instance and image/block device mapping combination "
            f"is not valid.")
_EPHEMERAL = re.compile(r"^ephemeral\d+$")
_DEVICE = re.compile(r"^/dev/x?[a-z]?d?([a-z]+)[0-9]*$")
FALSE = frozenset((False, "False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no",
                   "n", "f", None))


class Disk(model.Value, kw_only=True):
    """One disk that a server shall have."""

    source: str                          # volume, image, snapshot, blank
    destination: str                     # volume or local
    uuid: str | None = None              # of the volume, image or snapshot
    boot_index: int | None = None        # 0: the root; None or below 0: not to boot from
    size: int | None = None              # GiB
    volume_type: str | None = None
    delete: bool = False                 # with the server
    device: str | None = None
    tag: str | None = None
    guest_format: str | None = None
    bus: str | None = None

    @property
    def root(self) -> bool:
        """Whether the server boots from it."""
        return self.boot_index == 0

    @property
    def on_volume(self) -> bool:
        """Whether it needs the volume service."""
        return self.destination == VOLUME


def _bad(details: str) -> errors.Invalid:
    return errors.Invalid(f"{PREFIX}: {details}")


def read(old: collections.abc.Sequence[Json], new: collections.abc.Sequence[Json],
         image: str | None) -> tuple[Disk, ...]:
    """The disks of a request, none if it says nothing of them.  ``Invalid`` says what is wrong."""
    if old and new:
        raise errors.Invalid("Using different block_device_mapping syntaxes is not allowed in the "
                             "same request.")
    if old:
        found = [disk for disk in map(_old, old) if disk is not None]
        if image and not any(disk.root for disk in found):
            found.insert(0, Disk(source=IMAGE, destination=LOCAL, uuid=image, boot_index=0,
                                 delete=True))
        return tuple(found)
    return tuple(disk for disk in (_new(one, bool(image)) for one in new) if disk is not None)


def _old(given: Json) -> Disk | None:
    """One of the old form: the root is whatever is called vda."""
    device = _device(given)
    virtual = given.get("virtual_name")
    delete = given.get("delete_on_termination") not in FALSE
    if virtual == SWAP or (virtual and _EPHEMERAL.match(virtual)):
        return Disk(source=BLANK, destination=LOCAL, boot_index=-1, delete=True, device=device,
                    guest_format=SWAP if virtual == SWAP else None, size=_size(given))
    if given.get("snapshot_id"):
        source, uuid = SNAPSHOT, given["snapshot_id"]
    elif given.get("volume_id"):
        source, uuid = VOLUME, given["volume_id"]
    elif given.get("no_device"):
        return None
    else:
        raise _bad("Unrecognized legacy format.")
    return Disk(source=source, destination=VOLUME, uuid=uuid, size=_size(given), delete=delete,
                device=device, boot_index=0 if device == "/dev/vda" else -1)


def _new(given: Json, with_image: bool) -> Disk | None:
    """One of the new form."""
    if given.get("no_device"):
        return None
    source = given.get("source_type")
    uuid = given.get("uuid")
    destination = given.get("destination_type")
    index = None if given.get("boot_index") is None else int(given["boot_index"])
    if source == BLANK and uuid:
        raise _bad("Invalid device UUID.")
    if source != BLANK and not uuid:
        raise _bad("Missing device UUID.")
    if source is None:
        raise _bad("Some required fields are missing")
    if source == IMAGE and destination == LOCAL and not (with_image and index == 0):
        raise _bad("Mapping image to local is not supported.")
    if destination == LOCAL and given.get("volume_type"):
        raise _bad("Specifying a volume_type with destination_type=local is not supported.")
    if source == VOLUME and given.get("volume_type"):
        raise _bad("Specifying volume type to existing volume is not supported.")
    if destination is None:
        destination = LOCAL if source == BLANK else VOLUME
    return Disk(
        source=source, destination=destination, uuid=uuid, boot_index=index, size=_size(given),
        volume_type=given.get("volume_type") or None, device=_device(given),
        delete=given.get("delete_on_termination") not in FALSE, tag=given.get("tag"),
        guest_format=given.get("guest_format"), bus=given.get("disk_bus"))


def _size(given: Json) -> int | None:
    return int(given["volume_size"]) if given.get("volume_size") else None


def _device(given: Json) -> str | None:
    name = given.get("device_name")
    return "/dev/" + name.removeprefix("/dev/") if name else None


def check(found: collections.abc.Sequence[Disk], flavor: model.Flavor, image: str | None,
          count: int) -> None:
    """Raise ``Invalid`` for what can be told to be wrong without looking anything up."""
    if image and any(disk.on_volume and disk.device == "/dev/vda" and not disk.root
                     for disk in found):
        raise errors.Invalid("The volume cannot be assigned the same device name as the root "
                             "device vda")
    if count > 1 and any(disk.source == VOLUME for disk in found):
        raise errors.Invalid("Cannot attach one or more volumes to multiple instances")
    order = sorted(disk.boot_index for disk in found if (disk.boot_index or 0) >= 0
                   and disk.boot_index is not None)
    if not order or order != list(range(len(order))):
        raise errors.Invalid(SEQUENCE)
    for disk in found:
        _check_one(disk)
    _check_local([disk for disk in found if disk.destination == LOCAL], flavor)


def _check_one(disk: Disk) -> None:
    if disk.source == VOLUME and not disk.on_volume:
        raise _bad("Mapping volume to local is not supported.")
    if disk.source == SNAPSHOT and not disk.on_volume:
        raise _bad("Mapping snapshot to local is not supported.")
    if disk.source == IMAGE and disk.on_volume and not disk.size:
        raise errors.Invalid("Images with destination_type 'volume' need to have a non-zero size "
                             "specified")
    if disk.source == BLANK and disk.on_volume and not disk.size:
        raise errors.Invalid("Blank volumes (source: 'blank', dest: 'volume') need to have "
                             "non-zero size")
    if disk.bus and disk.bus not in BUSES:
        raise errors.Invalid(f"{PREFIX}.")


def _check_local(local: list[Disk], flavor: model.Flavor) -> None:
    blank = [disk for disk in local if disk.source == BLANK]
    swaps = [disk for disk in blank if disk.guest_format == SWAP]
    if sum(disk.size or flavor.ephemeral_gb for disk in blank
           if disk.guest_format != SWAP) > flavor.ephemeral_gb:
        raise _bad("Ephemeral disks requested are larger than the instance type allows. If no size "
                   "is given in one block device mapping, flavor ephemeral size will be used.")
    if len(swaps) > 1:
        raise _bad("More than one swap drive requested.")
    if swaps and (swaps[0].size or 0) > flavor.swap_mb:
        raise errors.Invalid(f"{PREFIX}: Swap drive requested is larger than instance type "
                             f"allows.")
    if len(local) > MAX_LOCAL:
        raise _bad("You specified more local devices than the limit allows")


# -- names of devices -----------------------------------------------------------------------------

def well_named(device: str) -> bool:
    """Whether a guest could have a disk of this name."""
    return _DEVICE.match(device) is not None


def letters(device: str | None) -> str:
    """What tells it from other devices: "b" of /dev/vdb."""
    match = _DEVICE.match(device or "")
    return match[1] if match else ""


def free_device(taken: collections.abc.Iterable[str | None], root: str | None) -> str:
    """The next free name after the root's.  ``Refused`` when there is none."""
    used = {letters(device) for device in taken} | {letters(root) or "a"}
    prefix = re.sub(r"[a-z][0-9]*$", "", root) if root and well_named(root) else "/dev/vd"
    for number in range(26 * 27):
        name = (chr(97 + number) if number < 26 else
                chr(96 + number // 26) + chr(97 + number % 26))
        if name not in used:
            return prefix + name
    raise errors.Refused("The maximum allowed number of disk devices to attach to a single "
                         "instance has been exceeded.")


def named(wanted: str | None, taken: collections.abc.Sequence[str | None],
          root: str | None) -> str:
    """The name that a new disk gets: the wanted one, or the next that is free.  ``Conflict``
    if the wanted one is taken, ``Invalid`` if it is no name of a disk."""
    if not wanted:
        return free_device(taken, root)
    if not well_named(wanted):
        raise errors.Invalid(f"The supplied device path ({wanted[:64]}) is invalid.")
    if letters(wanted) in {letters(device) for device in (*taken, root or "/dev/vda")}:
        raise errors.Conflict(f"The supplied device path ({wanted[:64]}) is in use.")
    return wanted
