"""An isolated libvirt daemon for tests: its own mount and UTS namespaces, its own directory.

Run as root.  Everything it starts is recorded by pid and ended by pid.  The directory has a
short path, because a socket's path may have 107 bytes.
"""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

PROGRAMS = ("libvirtd", "virtlogd", "qemu-system-x86_64", "qemu-img", "tini", "unshare")
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_LIBVIRTD = """\
host_uuid = "{uuid}"
auth_unix_rw = "none"
auth_unix_ro = "none"
unix_sock_rw_perms = "0700"
listen_tls = 0
listen_tcp = 0
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
keepalive_interval = -1
"""
_QEMU = """\
user = "root"
group = "root"
security_driver = "none"
dynamic_ownership = 0
remember_owner = 0
namespaces = []
cgroup_controllers = []
vnc_listen = "127.0.0.1"
remote_display_port_min = {port}
remote_display_port_max = {last}
max_core = 0
"""
_INSIDE = """\
set -e
hostname {name}
mount --bind {d}/etc /etc/libvirt
mount --bind {d}/run /run/libvirt
mount --bind {d}/lib /var/lib/libvirt
mount --bind {d}/log /var/log/libvirt
mount --bind {d}/cache /var/cache/libvirt
mount --bind {d}/hosts /etc/hosts
setsid tini -s -- virtlogd -p {d}/virtlogd.own </dev/null >>{d}/log/virtlogd.out 2>&1 &
echo $! >{d}/virtlogd.pid
for i in $(seq 50); do [ -S /run/libvirt/virtlogd-sock ] && break; sleep 0.1; done
setsid tini -s -- libvirtd -p {d}/libvirtd.own </dev/null >>{d}/log/libvirtd.out 2>&1 &
echo $! >{d}/libvirtd.pid
"""


def why_not() -> str | None:
    """Why real guests cannot be tested here; None if they can."""
    if os.geteuid() != 0:
        return "real guests are NOT tested: run as root"
    missing = [name for name in PROGRAMS if shutil.which(name, path=_PATH) is None]
    if missing:
        return f"real guests are NOT tested: {', '.join(missing)} not installed"
    try:
        import libvirt  # noqa: F401
    except ImportError:
        return "real guests are NOT tested: libvirt-python is not installed"
    return None


class Hypervisor:
    """One daemon.  ``uri`` reaches it, ``instances`` is a directory for its host."""

    def __init__(self, number: int = 0) -> None:
        self.directory = tempfile.mkdtemp(prefix="nc-hv-", dir="/tmp")
        self.instances = os.path.join(self.directory, "instances")
        self.uri = f"qemu+unix:///system?socket={self.directory}/run/libvirt-sock"
        self._number = number + os.getpid() % 150
        for name in ("etc/qemu", "etc/nwfilter", "etc/storage", "run", "lib", "log", "cache",
                     "instances"):
            os.makedirs(os.path.join(self.directory, name))
        self._configure()

    def _configure(self) -> None:
        port = 30000 + self._number * 100
        name = f"nc-test-{self._number}"
        values = {"uuid": f"00000000-0000-4000-9000-{os.getpid():012d}", "d": self.directory,
                  "name": name, "port": port, "last": port + 99}
        for path, text in (("etc/libvirtd.conf", _LIBVIRTD), ("etc/qemu.conf", _QEMU),
                           ("inside.sh", _INSIDE), ("etc/virtlogd.conf", "max_clients = 512\n"),
                           ("hosts", "127.0.0.1 localhost {name}\n")):
            with open(os.path.join(self.directory, path), "w") as file:
                file.write(text.format(**values))

    def start(self) -> None:
        """Start the daemons and wait until they answer."""
        for name in ("libvirt", ):
            for place in ("/etc", "/run", "/var/lib", "/var/log", "/var/cache"):
                os.makedirs(os.path.join(place, name), exist_ok=True)
        for name in os.listdir(os.path.join(self.directory, "run")):
            if "sock" in name:
                os.unlink(os.path.join(self.directory, "run", name))
        environment = {**os.environ, "PATH": f"{_PATH}:{os.environ.get('PATH', '')}"}
        subprocess.run(["unshare", "--mount", "--uts", "--propagation", "private", "bash",
                        os.path.join(self.directory, "inside.sh")], check=True, env=environment)
        until = time.monotonic() + 60
        while not self._answers():
            if time.monotonic() > until:
                raise RuntimeError(f"libvirtd does not answer: see {self.directory}/log")
            time.sleep(0.1)

    def _answers(self) -> bool:
        import libvirt
        if not os.path.exists(os.path.join(self.directory, "run", "libvirt-sock")):
            return False
        try:
            libvirt.open(self.uri).close()
            return True
        except libvirt.libvirtError:
            return False

    def stop(self) -> None:
        """End the daemons; guests keep running."""
        for name in ("libvirtd", "virtlogd"):
            self._end(name)

    def _end(self, name: str) -> None:
        try:
            with open(os.path.join(self.directory, f"{name}.pid")) as file:
                pid = int(file.read())
            os.unlink(file.name)
        except (FileNotFoundError, ValueError):
            return
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            if name.encode() not in file.read():
                return
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + 20
        while os.path.exists(f"/proc/{pid}/exe") and time.monotonic() < until:
            time.sleep(0.05)

    def guest_pid(self, name: str) -> int:
        """The process of a guest, by its domain's name."""
        with open(os.path.join(self.directory, "run", "qemu", f"{name}.pid")) as file:
            return int(file.read())

    def clean(self) -> None:
        """End the guests and the daemons, and remove the directory."""
        import libvirt
        try:
            conn = libvirt.open(self.uri)
            for dom in conn.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
                dom.destroy()
            conn.close()
        except libvirt.libvirtError:
            pass
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


_shared: Hypervisor | None = None


def shared() -> Hypervisor:
    """One hypervisor for the tests of a module, which calls ``forget`` when it is done; skips,
    loudly, where there can be none."""
    global _shared
    reason = why_not()
    if reason:
        print(f"SKIPPED: {reason}", flush=True)
        raise unittest.SkipTest(reason)
    if _shared is None:
        _shared = Hypervisor()
        atexit.register(forget)
        _shared.start()
    return _shared


def forget() -> None:
    """End the shared hypervisor, if there is one."""
    global _shared
    if _shared is not None:
        _shared.clean()
        _shared = None
