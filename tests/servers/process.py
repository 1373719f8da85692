# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""One server process of a test: its directory, its log, its port, its end.

Never ends anything but what it started; a server whose test died is ended by the kernel
(PR_SET_PDEATHSIG), so nothing is left running.
"""

import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """In a child, before its program: the kernel ends it when its parent dies."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Missing(Exception):
    """The program is not installed here: the sentence says what to install."""


def program(*names: str, package: str) -> str:
    """The path of the first of these programs that is there.  ``Missing`` otherwise."""
    for name in names:
        found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if found:
            return found
        for place in sorted(pathlib.Path("/usr/lib").glob(f"postgresql/*/bin/{name}")):
            return str(place)
    raise Missing(f"{names[0]} is not installed: apt-get install {package}")


def free_port() -> int:
    """A port of loopback that nobody had a moment ago."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def answers(port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


class Server:
    """A directory and the process that works in it.  Subclasses say how it is run."""

    name = "server"

    def __init__(self) -> None:
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"nova-cells-{self.name}-"))
        self.directory.chmod(0o755)
        self.log = self.directory / "log"
        self._process: subprocess.Popen | None = None

    @property
    def pid(self) -> int | None:
        """The process, if it runs."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running else None

    def run(self, words: list[str], env: dict[str, str] | None = None,
            user: str | None = None) -> None:
        """Start the process, its output into the log."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory,
                env={**os.environ, **(env or {})}, user=user, start_new_session=True,
                preexec_fn=die_with_parent)

    def wait_until(self, ready, seconds: float = 60.0) -> None:
        """Until ``ready()`` is true.  RuntimeError with the end of the log otherwise."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.pid is None:
                break
            if ready():
                return
            time.sleep(0.1)
        tail = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
        raise RuntimeError(f"{self.name} did not come up within {seconds:g} s:\n{tail}")

    def end(self, number: int = signal.SIGTERM, seconds: float = 20.0) -> None:
        """Ask the process to end; by force when it does not."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def remove(self) -> None:
        """End it, and take the directory away."""
        self.end()
        shutil.rmtree(self.directory, ignore_errors=True)
