"""Disks of guests: qcow2 overlays over cached images, made by qemu-img.

qemu-img is always told every format and runs under limits of memory, processor time and file
size, because what it reads was made by strangers (law: hostile images).  May assume that base
files were inspected.  Never shrinks a disk, and never gives a half-made one its final name.
"""

import os
import signal
import subprocess
import threading

from oslo_log import log

from nova_cells.domain import errors
from nova_cells.virt import header
from nova_cells.virt.libvirt import paths

LOG = log.getLogger(__name__)
# Address space of a qemu-img, not memory: each of its up to 64 threads reserves 8 MiB of stack, and
# each arena of glibc's allocator 64 MiB, so on a busy machine 1 GiB was reached by an honest image.
MEMORY_LIMIT = 4 * 1024 ** 3
ARENAS = "2"
CPU_LIMIT = 600                          # seconds of processor time
WALL_LIMIT = 1800.0                      # seconds until it is given up
SAID_LIMIT = 64 * 1024                   # bytes of what it says that are read
MARGIN = 64 * 1024 * 1024                # bytes that a host's disk keeps free


def qemu_img(*words: str, file_limit: int | None = None, fine: tuple[int, ...] = (0,)) -> None:
    """Run qemu-img.  ``HostTrouble`` if the disk is full, it is missing or it hit a limit;
    ``Invalid`` for anything else, which is the image's fault.  ``fine``: codes of success."""
    command = ["prlimit", f"--as={MEMORY_LIMIT}", f"--cpu={CPU_LIMIT}", "--core=0"]
    if file_limit is not None:
        command.append(f"--fsize={file_limit}")
    code, said = _run([*command, "--", "qemu-img", *words])
    if code not in fine:
        raise _problem(words[0], code, said)


def _run(command: list[str]) -> tuple[int, str]:
    """Run; its code and the start of what it says.  A damaged image can make qemu-img say
    gigabytes: then the pipe is closed, and it ends by SIGPIPE."""
    environment = {**os.environ, "LC_ALL": "C", "MALLOC_ARENA_MAX": ARENAS}
    environment["PATH"] = f"{environment.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, env=environment)
    except FileNotFoundError:
        raise errors.HostTrouble(f"{command[0]} is not installed on this host: install util-linux "
                                 f"and e2fsprogs")
    assert process.stdout is not None
    clock = threading.Timer(WALL_LIMIT, process.kill)
    clock.start()
    try:
        with process.stdout:
            said = process.stdout.read(SAID_LIMIT)
        return process.wait(), said.decode(errors="replace").strip()
    finally:
        clock.cancel()


def _problem(what: str, code: int, said: str) -> errors.Problem:
    LOG.warning("qemu-img %s ended with %s: %s", what, code, said[:1000])
    if code == 127:
        return errors.HostTrouble("qemu-img is not installed on this host: install qemu-utils")
    if "No space left" in said or "File too large" in said or code == -signal.SIGXFSZ:
        return errors.HostTrouble(f"the host's disk is full: qemu-img {what} found no room")
    if "Cannot allocate memory" in said or (code < 0 and code != -signal.SIGPIPE):
        return errors.HostTrouble(f"qemu-img {what} reached a limit of memory or time")
    if "lock" in said and what == "resize":
        return errors.Conflict("the disk is in use: stop the server to make it larger")
    last = said.splitlines()[0] if said else f"code {code}"
    return errors.Invalid(f"the image cannot be read by qemu-img {what}: {last}")


def free_bytes(path: str) -> int:
    """Bytes free on the file system of a path."""
    return os.statvfs(path).f_bavail * os.statvfs(path).f_frsize


def need(path: str, size: int, what: str) -> None:
    """``HostTrouble`` unless ``size`` bytes and a margin are free where ``path`` is."""
    free = free_bytes(path)
    if free < size + MARGIN:
        raise errors.HostTrouble(f"no room for {what}: it needs {size >> 20} MiB, and "
                                 f"{max(0, free - MARGIN) >> 20} MiB are free in {path}")


def check(path: str) -> None:
    """``Invalid`` if the tables of a qcow2 file lie, or point beyond its end (QEMU would read
    zeros there).  Clusters that nobody uses (code 3) do no harm."""
    qemu_img("check", "-q", "-f", "qcow2", path, fine=(0, 3))


def create_overlay(path: str, base: str, base_format: str, size: int) -> None:
    """The disk, as large as asked; one that is there is kept, and grown if it is smaller."""
    if os.path.exists(path):
        _grow(path, size)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    need(os.path.dirname(path), 0, "a disk")
    part = path + ".part"
    paths.forget(part)
    qemu_img("create", "-q", "-f", "qcow2", "-F", base_format, "-b", base, part, str(size))
    paths.put(part, path)


def create_blank(path: str, size: int, program: tuple[str, ...]) -> None:
    """A sparse raw disk that ``program`` (mkswap, mkfs) prepares; one that is there is kept."""
    if os.path.exists(path):
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    need(os.path.dirname(path), 0, "a disk")
    part = path + ".part"
    with open(part, "wb") as file:
        file.truncate(size)
    code, said = _run([*program, part])
    if code != 0:
        LOG.warning("%s ended with %s: %s", program[0], code, said)
        paths.forget(part)
        raise errors.HostTrouble(f"{program[0]} cannot prepare a disk on this host: see its log")
    paths.put(part, path)


def _grow(path: str, size: int) -> None:
    if _overlay_size(path) < size:
        qemu_img("resize", "-q", "-f", "qcow2", path, str(size))


def _overlay_size(path: str) -> int:
    """The virtual size of a disk of ours (its backing file is ours as well)."""
    with open(path, "rb") as file:
        start = file.read(32)
    if len(start) < 32 or not start.startswith(header.MAGIC):
        raise errors.HostTrouble(f"{path} is damaged: delete the server, or restore the file")
    return int.from_bytes(start[24:32], "big")


def direct_io(directory: str) -> bool:
    """Whether files there can be opened past the page cache."""
    path = os.path.join(directory, f".direct-io.{os.getpid()}")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_DIRECT, 0o600))
    except OSError:
        return False
    finally:
        paths.forget(path)
    return True
