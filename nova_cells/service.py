# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Runs a service: threads, time and messages around a handler that only decides.

``choose_backend`` must be called before anything but this module is imported: it is the one place
that knows eventlet. A ``Runner`` gives a handler its messages and its ticks and carries out the
effects that it returns. Never retries: what matters was saved by the handler, and somebody asks
again.
"""

import collections.abc
import configparser
import logging
import sys
import threading
import types
import typing
import uuid
import warnings

from nova_cells.domain import effects, errors

LOG = logging.getLogger(__name__)

# Libraries import eventlet whether it is used or not, and it would say so on every terminal.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")

BACKENDS = ("threading", "eventlet")
BACKEND_VARIABLE = "NOVA_CELLS_CONCURRENCY_BACKEND"
STALLED = 300.0          # seconds that a run of a job may take before it is said to hang


def choose_backend(argv: collections.abc.Sequence[str],
                   env: collections.abc.Mapping[str, str]) -> str:
    """Decide between threads and eventlet, and set the process up for it.

    The environment variable wins over [DEFAULT] concurrency_backend of the files named by
    --config-file; the default is threading.  ``Invalid`` for anything else.
    """
    name = env.get(BACKEND_VARIABLE) or _backend_of_files(_config_files(argv)) or BACKENDS[0]
    if name not in BACKENDS:
        raise errors.Invalid(f"concurrency_backend is {name!r}: use one of {', '.join(BACKENDS)}")
    if name == "eventlet":
        import eventlet

        eventlet.monkey_patch()
    else:
        # Libraries import it if it is there, for nothing: ten megabytes in each process and a
        # quarter of a second at its start.  To them it is now as if it were not installed.
        sys.modules.setdefault("eventlet", typing.cast(types.ModuleType, None))
    from oslo_service import backend

    backend.init_backend(backend.BackendType(name))
    return name


def _config_files(argv: collections.abc.Sequence[str]) -> list[str]:
    found = []
    for place, word in enumerate(argv):
        if word == "--config-file" and place + 1 < len(argv):
            found.append(argv[place + 1])
        elif word.startswith("--config-file="):
            found.append(word.partition("=")[2])
    return found


def _backend_of_files(paths: list[str]) -> str | None:
    """What the last file that says something says.  A file that cannot be read is reported
    later, by who reads all of it."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    for path in paths:
        try:
            parser.read(path)
        except (configparser.Error, UnicodeError, OSError):
            continue
    return parser.defaults().get("concurrency_backend")


class Handler(typing.Protocol):
    """A service, seen from outside.  Optional: ``figures(now)`` (see ``metrics.watch``),
    ``wants_sender``, ``start(now)``, ``leave(now)``, ``JOBS``, ``send`` (set here: sends a cast at
    once, in the middle of a message)."""

    def handle(self, message, now: float) -> list[effects.Effect]:
        """Decide and save; return what is to be done."""


class Runner:
    """One handler with its client, its clock and its periodic jobs (name -> seconds)."""

    def __init__(self, name: str, handler: Handler, client, clock,
                 jobs: dict[str, float] | None = None, forward_budget: float = 10.0) -> None:
        self.name = name
        # Not above: nothing that makes locks may be imported before the backend is chosen.
        from nova_cells import context, metrics
        from nova_cells.metrics import instruments

        self._context, self._metrics, self._instruments = context, metrics, instruments
        self._place = context.Place.named(name)
        self._watch: instruments.Watch | None = None
        self._handler = handler
        self._client = client
        self._clock = clock
        if hasattr(handler, "send"):
            handler.send = self._cast
        self._forward_budget = forward_budget
        self._wants_sender = getattr(handler, "wants_sender", False)
        periods = getattr(handler, "JOBS", {}) if jobs is None else jobs
        self._jobs = {job: _Job(self, job, seconds) for job, seconds in periods.items()}
        self._quiet = threading.Condition()
        self._under_way = 0
        self._stopping = False

    def start(self) -> None:
        """The handler's own start, then its jobs.  A problem of the start is raised."""
        begin = getattr(self._handler, "start", None)
        if begin is not None:
            self._perform(begin(self._clock.time()))
        for job in self._jobs.values():
            job.start()
        self._metrics.living(self, self.ailing)
        figures = getattr(self._handler, "figures", None)
        if figures is not None:
            self._watch = self._metrics.watch(lambda: figures(self._clock.time()))

    def ailing(self) -> list[str]:
        """Which of the jobs' threads ended or hang, in sentences."""
        now = self._clock.monotonic()
        return [said for job in self._jobs.values() if (said := job.ailing(now)) is not None]

    def stop(self, patience: float = 10.0) -> bool:
        """No more work is begun; whether what is under way ended within ``patience`` seconds."""
        self._metrics.living(self, None)
        if self._watch is not None:
            self._watch.stop()
        deadline = self._clock.monotonic() + patience
        with self._quiet:
            self._stopping = True
        for job in self._jobs.values():
            job.leave()
        for job in self._jobs.values():
            job.join(max(0.0, deadline - self._clock.monotonic()))
        ended = self._still(deadline)
        leave = getattr(self._handler, "leave", None)
        if leave is not None:
            self._perform(leave(self._clock.time()))
        return ended

    def _still(self, deadline: float) -> bool:
        """Whether what is under way ends in time."""
        with self._quiet:
            while self._under_way:
                left = deadline - self._clock.monotonic()
                if left <= 0:
                    return False
                self._quiet.wait(left)
        return True

    def deliver(self, message, sender: str | None = None):
        """Handle one message; the answer for its sender, or None.  Never raises."""
        with self._quiet:
            if self._stopping:
                return errors.Failure(family="cell_down", message=f"{self.name} is stopping")
            self._under_way += 1
        outcome, began = "ok", self._clock.monotonic()
        before = self._context.begin(self._place, message)
        try:
            return self._perform(self._decide(message, sender))
        except errors.Problem as problem:
            outcome = problem.family
            if problem.family == "bug":
                LOG.exception("%s: %s failed", self.name, type(message).__name__)
            return errors.as_failure(problem)
        except Exception:
            outcome = "bug"
            known = getattr(message, "op", "") or uuid.uuid4().hex
            LOG.exception("%s: %s failed, op=%s", self.name, type(message).__name__, known)
            return errors.Failure(family="bug",
                                  message=f"internal error; see the log for {known}")
        finally:
            self._context.end(before)
            self._count(message, outcome, self._clock.monotonic() - began)
            with self._quiet:
                self._under_way -= 1
                self._quiet.notify_all()

    def wake(self, job: str) -> None:
        """Let a job run soon; many wakes before it does are one."""
        if job in self._jobs:
            self._jobs[job].wake()
        else:
            LOG.warning("%s: no job %r to wake", self.name, job)

    def _count(self, message, outcome: str, seconds: float) -> None:
        kind, service = type(message).__name__, self._place.service
        self._instruments.MESSAGES.inc(service, kind, outcome)
        if isinstance(message, effects.Tick):
            self._instruments.TICKS.observe(seconds, service, message.job)
        else:
            self._instruments.MESSAGE_SECONDS.observe(seconds, service, kind)

    def _decide(self, message, sender: str | None) -> list[effects.Effect]:
        now = self._clock.time()
        if self._wants_sender:
            return self._handler.handle(message, now, sender) or []
        return self._handler.handle(message, now) or []

    def _perform(self, wanted: collections.abc.Iterable[effects.Effect] | None):
        """Carry effects out, in their order; what is to be answered, if anything."""
        answer = None
        for effect in wanted or ():
            match effect:
                case effects.Cast():
                    self._cast(effect)
                case effects.Reply():
                    answer = effect.message
                case effects.Forward():
                    answer = self._forward(effect)
                case effects.Wake():
                    self.wake(effect.job)
        return answer

    def _cast(self, effect: effects.Cast) -> None:
        try:
            self._client.cast(effect.to, effect.message)
        except errors.Problem as problem:
            LOG.warning("%s: %s was not sent to %s: %s", self.name, type(effect.message).__name__,
                        effect.to, problem)
        except Exception:
            LOG.exception("%s: %s was not sent", self.name, type(effect.message).__name__)

    def _forward(self, effect: effects.Forward):
        try:
            return self._client.call(effect.to, effect.message, self._forward_budget)
        except errors.Problem as problem:
            return errors.as_failure(problem)


def next_due(due: float, now: float, period: float) -> float:
    """When a job that was due at ``due`` is due again: a whole number of periods later, and after
    ``now``.  One that was woken before its time stays due when it was."""
    return due if now < due else due + period * (1 + (now - due) // period)


class _Job:
    """A periodic job in a thread of its own, so it never runs beside itself.

    Due times are multiples of the period on the monotonic clock: a late run does not shift the
    next one, and what was missed while it ran long is not made up for.
    """

    def __init__(self, runner: Runner, name: str, period: float) -> None:
        self._runner = runner
        self._name = name
        self._period = period
        self._bell = threading.Condition()
        self._woken = False
        self._leaving = False
        self._began: float | None = None         # the run under way
        self._thread: threading.Thread | None = None

    def ailing(self, now: float) -> str | None:
        """What is wrong with its thread, if anything is."""
        began, who = self._began, f"the job {self._name} of {self._runner.name}"
        if self._leaving or self._thread is None:
            return None
        if not self._thread.is_alive():
            return f"{who} has ended"
        if began is not None and now - began > STALLED:
            return f"{who} has been busy with one run for {now - began:.0f} s"
        return None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True,
                                        name=f"{self._runner.name}:{self._name}")
        self._thread.start()

    def wake(self) -> None:
        with self._bell:
            self._woken = True
            self._bell.notify()

    def leave(self) -> None:
        with self._bell:
            self._leaving = True
            self._bell.notify()

    def join(self, patience: float) -> None:
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(patience)

    def _run(self) -> None:
        clock = self._runner._clock
        due = clock.monotonic() + self._period
        while self._wait(due):
            self._began = clock.monotonic()
            self._runner.deliver(effects.Tick(job=self._name))
            self._began = None
            due = next_due(due, clock.monotonic(), self._period)

    def _wait(self, due: float) -> bool:
        """Sleep until the job is due or woken.  False: leave."""
        with self._bell:
            while not (self._leaving or self._woken):
                left = due - self._runner._clock.monotonic()
                if left <= 0:
                    break
                self._bell.wait(left)
            self._woken = False
            return not self._leaving


def complain(program: str, problem: Exception | str, code: int = 2) -> typing.NoReturn:
    """End the process with one line on stderr."""
    text = " ".join(str(problem).split())
    sys.stderr.write(f"{program}: {text}\n")
    raise SystemExit(code)
