# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""How a service runs as a process of its own, or as several: options, log, signals, workers.

A ``Work`` is what one worker does.  Before anything runs, ``check`` is asked whether it can work at
all: what cannot is one sentence and an exit code.  After that nothing ends a worker but a signal: a
database or a bus that does not answer is waited for.  SIGTERM and SIGINT let work under way end;
SIGHUP reads the configuration again and begins anew with it.
"""

import argparse
import importlib
import logging
import os
import signal
import sys
import threading
import typing

from nova_cells import metrics, service
from nova_cells.domain import errors

LOG = logging.getLogger(__name__)

TRY_EVERY = 2.0          # seconds between tries of what does not answer


class Work(typing.Protocol):
    """What a worker does.  Made in the worker, after any fork."""

    def open(self) -> None:
        """Bring it up, all of it or nothing.  A ``Problem`` other than ``Invalid`` may pass, and
        ``open`` is called again."""

    def stop(self, patience: float) -> bool:
        """Take nothing more and let everything go; whether work under way ended in time.  Also
        after an ``open`` that failed."""

    def checks(self) -> list[metrics.Check]:
        """What is asked once it is open, to know whether it still can work."""


class Program(typing.NamedTuple):
    """A command: its name, what it is for, and the module that does it, which is imported once it
    is decided on what the process runs: ``Work(conf)``, ``workers(conf)``, and ``check(conf)`` that
    raises a ``Problem`` if it cannot work."""

    name: str                # nova-cells-conductor
    about: str
    running: str


def main(program: Program, argv: list[str] | None = None) -> typing.NoReturn:
    """Run the command until it is told to stop."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog=program.name, description=program.about,
                                     allow_abbrev=False)
    parser.add_argument("--config-file", action="append", default=[], metavar="PATH",
                        dest="files", help="read this file (may be repeated); default: "
                        "/etc/nova-cells/nova-cells.conf if it is there")
    parser.add_argument("--debug", action="store_true", help="log more")
    options = parser.parse_args(argv)
    try:
        backend = service.choose_backend(argv, os.environ)
        conf = configure(program.name, options.files, options.debug)
        running = importlib.import_module(program.running)
        running.check(conf)
        workers = running.workers(conf)
        code = _alone(program, conf) if workers == 1 else _several(program, conf, workers, backend)
    except errors.Invalid as problem:
        service.complain(program.name, problem, 2)
    except errors.Problem as problem:
        service.complain(program.name, problem, 1)
    except KeyboardInterrupt:
        service.complain(program.name, "interrupted", 1)
    sys.stderr.flush()
    os._exit(code)       # threads that did not end must not hold the process


def configure(name: str, files: list[str], debug: bool = False):
    """The configuration, with the log set up as it says."""
    from oslo_log import log

    from nova_cells import conf as confs
    from nova_cells import context

    files = files or confs.found_files()
    if not files:
        raise errors.Invalid("there is no configuration: name one with --config-file, or write "
                             "/etc/nova-cells/nova-cells.conf")
    conf = confs.new(files=files, overrides={"DEFAULT": {"debug": True}} if debug else None,
                     prog=name)
    try:
        os.makedirs(conf.state_path, mode=0o700, exist_ok=True)
        context.start_log(conf, name.removeprefix("nova-cells-"), conf.cell.name or "", conf.host)
        logging.getLogger("alembic").setLevel(logging.WARNING)
    except (OSError, log.LogConfigError) as error:
        raise errors.Invalid(f"the log or the state directory cannot be written: {error}; see "
                             "[DEFAULT] state_path and log_file") from None
    return conf


def _alone(program: Program, conf) -> int:
    """One worker, in this very process."""
    from nova_cells.cmd import signals

    asked = signals.Signals(signal.SIGHUP)
    worker = make_worker(program, conf)
    threading.Thread(target=worker.start, daemon=True, name="start").start()
    while (number := asked.wait()) == signal.SIGHUP:
        LOG.info("%s: SIGHUP: beginning anew with the configuration as it is now", program.name)
        worker.stop()
        conf.reload_config_files()
        worker.reset()
        threading.Thread(target=worker.start, daemon=True, name="start").start()
    LOG.info("%s: %s: stopping", program.name, number.name)
    worker.stop()
    return worker.code


def _several(program: Program, conf, workers: int, backend: str) -> int:
    """As many workers as asked, each a process that oslo.service restarts when it dies."""
    from oslo_service import service as launching

    metrics.prepare(conf, program.name.removeprefix("nova-cells-"), workers)
    launcher = launching.launch(conf, make_worker(program, conf), workers=workers,
                                restart_method="reload")
    return launcher.wait() or 0


def make_worker(program: Program, conf):
    """A worker, as oslo.service wants it: start, stop, wait, reset."""
    from oslo_service import service as launching

    class Worker(launching.ServiceBase):
        """Opens its work, again and again until it comes up; closes it when told to."""

        backdoor_port = None

        def __init__(self) -> None:
            self.code = 0
            self.reset()

        def reset(self) -> None:
            self._leaving = threading.Event()
            self._done = threading.Event()
            self._work: Work | None = None
            self._told = "it has not come up yet"
            self._metrics: metrics.Server | None = None
            self._lock = threading.Lock()

        def start(self) -> None:
            self._metrics = metrics.serve(conf, program.name.removeprefix("nova-cells-"),
                                          {"work": self._wrong})
            while not self._leaving.is_set():
                work = importlib.import_module(program.running).Work(conf)
                try:
                    work.open()
                except errors.Invalid as problem:
                    self._end(problem)
                    return
                except Exception as problem:
                    work.stop(1.0)
                    self._wait_for(problem)
                    continue
                with self._lock:
                    if not self._leaving.is_set():
                        self._work = work
                        LOG.info("%s: ready", program.name)
                        return
                work.stop(conf.graceful_shutdown_timeout)

        def stop(self, graceful: bool = True) -> None:
            with self._lock:
                self._leaving.set()
                work, self._work = self._work, None
            if self._metrics is not None:
                self._metrics.stopping()
            if work is not None and not work.stop(conf.graceful_shutdown_timeout):
                LOG.warning("%s: some work did not end in time; it is taken up again", program.name)
            if self._metrics is not None:
                self._metrics.stop()
            self._done.set()

        def wait(self) -> None:
            self._done.wait()

        def _wrong(self) -> str | None:
            """Why this worker is not ready."""
            work = self._work
            if work is None:
                return self._told
            return "; ".join(filter(None, (check() for check in work.checks()))) or None

        def _wait_for(self, problem: Exception) -> None:
            if str(problem) != self._told:
                self._told = str(problem)
                unexpected = not isinstance(problem, errors.Problem)
                LOG.warning("%s is not up: %s; tried again every %g s", program.name, problem,
                            TRY_EVERY, exc_info=unexpected)
            self._leaving.wait(TRY_EVERY)

        def _end(self, problem: errors.Problem) -> None:
            """What can never work ends the process, in one sentence."""
            LOG.error("%s: %s", program.name, problem)
            sys.stderr.write(f"{program.name}: {' '.join(str(problem).split())}\n")
            self.code = 2
            os.kill(os.getpid(), signal.SIGTERM)

    return Worker()
