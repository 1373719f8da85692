"""Who a host is: a uuid kept on its disk, with the name that it had when it was made.

May assume that the directory belongs to one host.  Never lets two hosts share a directory,
and never gives a host a new uuid while the old one can be read.
"""

import os
import socket
import uuid as uuids

from nova_cells.domain import errors

FILE = "compute_id"


def host_uuid(directory: str | None, cell: str, host: str) -> str:
    """The host's uuid, made and saved at the first call.  ``Invalid`` if the directory is
    another host's.  Without a directory it follows from the name."""
    if directory is None:
        return str(uuids.uuid5(uuids.NAMESPACE_DNS, f"{host}.{cell}"))
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, FILE)
    name = f"{cell}/{host}"
    if not os.path.exists(path):
        _write(path, f"{uuids.uuid4()}\n{name}\n")
    with open(path) as file:
        words = file.read().split()
    if len(words) > 1 and words[1] != name:
        raise errors.Invalid(f"{directory} belongs to host {words[1]}, not to {name}: give each "
                             f"host its own instances_path, or remove {path} if it was renamed")
    try:
        return str(uuids.UUID(words[0]))
    except (ValueError, IndexError):
        raise errors.Invalid(f"{path} holds no uuid: restore it, or remove it to make a new host")


def own_address() -> str:
    """The address by which this machine leaves its network; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))      # of the documentation's network: nobody is there
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def _write(path: str, text: str) -> None:
    """Whole or not at all; of two racers the first wins."""
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(temporary)
