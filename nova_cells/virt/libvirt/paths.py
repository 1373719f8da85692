"""Where a host keeps what belongs to a guest: one directory per guest, one for the cache.

May assume that ``instances_path`` belongs to this host alone.  Never makes a path from
anything but a well-formed uuid.
"""

import glob
import os
import uuid as uuids

from nova_cells.domain import errors

DISK, CONFIG_DRIVE, CONSOLE, BASE = "disk", "disk.config", "console.log", "_base"
EPHEMERAL, SWAP = "disk.eph0", "disk.swap"
#: How checks name what lies in a guest's directory; virtlogd numbers older console logs.
NAMES = {DISK: "disk", CONFIG_DRIVE: "config drive", CONSOLE: "console log"}


class Paths:
    """The paths of one host."""

    def __init__(self, instances_path: str) -> None:
        self.root = os.path.abspath(instances_path)
        self.base = os.path.join(self.root, BASE)

    def guest(self, uuid: str, *names: str) -> str:
        """The guest's directory, or a file in it."""
        try:
            plain = str(uuids.UUID(uuid))
        except (ValueError, AttributeError, TypeError):
            raise errors.Invalid(f"{uuid!r} is not the uuid of a guest")
        return os.path.join(self.root, plain, *names)

    def disk(self, uuid: str) -> str:
        """The root disk."""
        return self.guest(uuid, DISK)

    def disks(self, uuid: str) -> list[str]:
        """Every disk that the guest may have, and what may be left of making it."""
        whole = [self.guest(uuid, name) for name in (DISK, EPHEMERAL, SWAP)]
        return [*whole, *(f"{path}.part" for path in whole)]

    def config_drive(self, uuid: str) -> str:
        """The config drive."""
        return self.guest(uuid, CONFIG_DRIVE)

    def console(self, uuid: str) -> str:
        """The log of the serial console."""
        return self.guest(uuid, CONSOLE)

    def consoles(self, uuid: str) -> list[str]:
        """The log and its older parts; the log's own path also if there is none."""
        current = self.console(uuid)
        return [current, *glob.glob(glob.escape(current) + ".[0-9]*")]

    def guests(self) -> list[str]:
        """The uuids of all guests that have a directory."""
        try:
            names = os.listdir(self.root)
        except FileNotFoundError:
            return []
        return sorted(name for name in names if _is_uuid(name))

    def leftovers(self, uuid: str) -> list[str]:
        """What lies in the guest's directory, by name; "directory" if it is there but empty."""
        try:
            files = sorted(os.listdir(self.guest(uuid)))
        except FileNotFoundError:
            return []
        return sorted({_name(file) for file in files}) or ["directory"]


def _is_uuid(name: str) -> bool:
    try:
        return str(uuids.UUID(name)) == name
    except ValueError:
        return False


def _name(file: str) -> str:
    """``console.log.0`` and ``disk.part`` count as what they are parts of."""
    for known in sorted(NAMES, key=len, reverse=True):
        if file == known or file.startswith(known + "."):
            return NAMES[known]
    return file


def sync(path: str) -> None:
    """Have a file or a directory safely on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def put(part: str, path: str) -> None:
    """Give a finished file its name: whole and on disk, or not at all."""
    sync(part)
    os.replace(part, path)
    sync(os.path.dirname(path))


def forget(path: str) -> None:
    """Remove a file that may not be there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
