# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A cell's network, apart from ours: a namespace of its own at the end of a wire that can be cut.

    our namespace --veth-- wire --veth-- cell

The wire is a namespace that forwards, and drops what it is told to; so neither end sees more of a
cut than silence, and nothing of ours is changed but one more interface.  Needs root.  A thread is
``inside``: what it starts and whom it connects to meanwhile is in the cell's namespace.
"""

import contextlib
import ctypes
import os
import pathlib
import subprocess

from tests.servers import process

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
NAMED = pathlib.Path("/run/netns")
PREFIX = "nova-cells-"
TO_CELL, FROM_CELL = "to the cell", "from the cell"


def missing() -> str | None:
    """Why there can be no namespaces here; None if there can."""
    if os.geteuid() != 0:
        return "namespaces need root"
    for name, package in (("ip", "iproute2"), ("iptables", "iptables"), ("tc", "iproute2")):
        try:
            process.program(name, package=package)
        except process.Missing as problem:
            return str(problem)
    try:
        with Apart(250) as tried:
            tried.cut(TO_CELL)
    except subprocess.CalledProcessError as error:
        return f"no namespaces here: {' '.join(error.cmd)}: {error.stderr.strip()}"
    return None


class Apart:
    """Made when entered, gone when left, whatever happened between.  ``number``: 0 to 250."""

    def __init__(self, number: int = 0) -> None:
        self._tag = f"{os.getpid()}-{number}"
        self.name, self._wire = f"{PREFIX}{self._tag}-cell", f"{PREFIX}{self._tag}-wire"
        self._ours, self._theirs = f"nc{os.getpid() % 100000}-{number}a", "outside"
        self._net = f"10.213.{(os.getpid() + number) % 256}"
        self.address = f"{self._net}.6"          # where the cell is reached from outside

    def __enter__(self) -> "Apart":
        sweep()
        try:
            self._make()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_error) -> None:
        self.remove()

    def _make(self) -> None:
        net = self._net
        for namespace in (self._wire, self.name):
            _ip("netns", "add", namespace)
            _ip("-n", namespace, "link", "set", "lo", "up")
        _ip("link", "add", self._ours, "type", "veth", "peer", "name", "near", "netns",
            self._wire)
        _ip("-n", self._wire, "link", "add", "far", "type", "veth", "peer", "name", self._theirs,
            "netns", self.name)
        _ip("addr", "add", f"{net}.1/30", "dev", self._ours)
        _ip("link", "set", self._ours, "up")
        for namespace, interface, address in ((self._wire, "near", 2), (self._wire, "far", 5),
                                              (self.name, self._theirs, 6)):
            _ip("-n", namespace, "addr", "add", f"{net}.{address}/30", "dev", interface)
            _ip("-n", namespace, "link", "set", interface, "up")
        _ip("route", "add", f"{net}.4/30", "via", f"{net}.2")
        _ip("-n", self.name, "route", "add", f"{net}.0/30", "via", f"{net}.5")
        with self._in(self._wire):
            pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1")

    def remove(self) -> None:
        """Both namespaces; their interfaces go with them."""
        for namespace in (self.name, self._wire):
            if (NAMED / namespace).exists():
                _ip("netns", "del", namespace)

    @contextlib.contextmanager
    def inside(self):
        """This thread, and what it starts, is in the cell."""
        with self._in(self.name):
            yield

    @contextlib.contextmanager
    def _in(self, namespace: str):
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(NAMED / namespace, os.O_RDONLY)
        try:
            _enter(there)
            yield
        finally:
            _enter(home)
            os.close(there)
            os.close(home)

    # -- what befalls the wire --------------------------------------------------------------------

    def cut(self, *ways: str) -> None:
        """Packets these ways are dropped; both if none is named."""
        for way in ways or (TO_CELL, FROM_CELL):
            self._drop(way)

    def lose(self, share: float) -> None:
        """So much of what passes is lost, both ways."""
        for way in (TO_CELL, FROM_CELL):
            self._drop(way, "-m", "statistic", "--mode", "random", "--probability", f"{share:g}")

    def slow(self, kilobits: int, most: float = 4.0) -> None:
        """No more passes in a second, each way, so that a queue forms: a delay of up to ``most``
        seconds.  (Kernels without netem cannot delay by a constant.)"""
        for interface in ("near", "far"):
            _run("tc", "-n", self._wire, "qdisc", "replace", "dev", interface, "root", "tbf",
                 "rate", f"{kilobits}kbit", "burst", "4kb", "latency", f"{most:g}s")

    def heal(self) -> None:
        """Everything passes."""
        with self._in(self._wire):
            _run("iptables", "-w", "-F", "FORWARD")
        for interface in ("near", "far"):
            subprocess.run(["tc", "-n", self._wire, "qdisc", "del", "dev", interface, "root"],
                           capture_output=True)

    def _drop(self, way: str, *when: str) -> None:
        interface = "near" if way == TO_CELL else "far"
        with self._in(self._wire):
            _run("iptables", "-w", "-A", "FORWARD", "-i", interface, *when, "-j", "DROP")


def sweep() -> None:
    """Namespaces of ours whose process is gone: it was killed before it could remove them."""
    for path in NAMED.glob(f"{PREFIX}*"):
        owner = path.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not pathlib.Path("/proc", owner).exists():
            _ip("netns", "del", path.name)


def _enter(namespace: int) -> None:
    if _LIBC.setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def _ip(*words: str) -> None:
    _run("ip", *words)


def _run(*words: str) -> None:
    subprocess.run([process.program(words[0], package="iproute2"), *words[1:]], check=True,
                   capture_output=True, text=True)
