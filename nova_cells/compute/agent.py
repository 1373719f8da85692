"""The agent of one host: ``handle(message, now) -> effects``.

A task with an old ticket is refused; a task that is known and ended is answered again and
not done again; a newer task interrupts an older one between two steps.  The guests keep
running whatever becomes of the agent.  What is meant for another host of the same name is not
touched, and an agent that its cell refuses does nothing but ask again.
"""

import collections.abc
import contextlib
import logging
import threading
import uuid as uuids

import msgspec

from nova_cells import seal as sealing
from nova_cells.compute import answers, caching, errands, flow, imaging, rooms, verbs, work
from nova_cells.compute import journal as journals
from nova_cells.domain import address, effects, errors, tasks
from nova_cells.domain import errands as domain_errands
from nova_cells.metrics import instruments
from nova_cells.virt import identity, protocol

LOG = logging.getLogger(__name__)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How often an agent speaks.  Seconds."""

    hello: float = 12.0              # with the guests once a minute: one message in ten seconds
    guests: float = 60.0


class Agent:
    """Does the tasks of one host."""

    def __init__(self, driver: protocol.Driver, journal: journals.Journal, cell: str, host: str,
                 ids=None, settings: Settings | None = None,  # noqa: ANN001
                 seal: sealing.Seal | None = None, rooms_: rooms.Rooms | None = None,
                 consoles: dict[str, answers.Offered] | None = None) -> None:
        self.driver = driver
        self.journal = journal
        self.cell, self.host = cell, host
        self.settings = settings or Settings()
        self._seal = seal or sealing.Seal.fresh()
        self._consoles = answers.DEFAULT if consoles is None else consoles
        self.rooms = rooms_ or rooms.Rooms()
        self._errands = errands.Errands(self)
        #: Sends a cast at once, while a task goes on; set by who runs the agent.
        self.send: collections.abc.Callable[[effects.Cast], None] = lambda cast: None
        self._life = ids.uuid() if ids is not None else str(uuids.uuid4())
        self._address = identity.own_address()
        self._uuid = ""                          # the host's, once it was said
        self.refused: str | None = None          # why the cell does not take this host, if so
        self.JOBS = {"hello": self.settings.hello, "guests": self.settings.guests, "events": 1.0}
        self._locks: dict[str, threading.Lock] = {}
        self._newest: dict[str, tuple[int, int]] = {}    # highest stamp that has come, not begun
        self._doing: dict[str, tasks.Task] = {}      # under way
        self._guard = threading.Lock()
        self._pending: dict[str, int] = {}
        self._events: collections.deque[tasks.GuestSeen] = collections.deque()
        self._told_power: dict[str, int] = {}    # what was last said of a guest
        self.step: collections.abc.Callable[[str, str], None] = lambda server, name: None
        self._seen = 0                           # guests, when they were told last
        driver.watch(self._events.append)

    def figures(self, now: float) -> list[instruments.Sample]:
        """The host in numbers."""
        with self._guard:
            tasks_now = sum(self._pending.values())
        return [(instruments.TASKS, (self.host,), tasks_now),
                (instruments.GUESTS, (self.host,), self._seen)]

    # -- speaking -------------------------------------------------------------------------------

    def start(self, now: float) -> list[effects.Effect]:
        """I am here; which verbs are open on me?  And this is what I run."""
        return [self._hello(starting=True), self._guests()]

    def leave(self, now: float) -> list[effects.Effect]:
        """I stop, as I was told to: nobody need wait for my silence."""
        if self.refused:
            return []
        return [self._conductor(tasks.Goodbye(
            host=self.host, uuid=self._uuid, life=self._life))]

    def handle(self, message: msgspec.Struct, now: float) -> list[effects.Effect]:
        """One task, question or tick."""
        if self.refused and not isinstance(message, tasks.Welcome):
            return self._idle(message)
        match message:
            case tasks.Task() | tasks.Look() | tasks.Sweep() | tasks.ErrandTask() \
                    | tasks.DropImage() | tasks.FetchImages() \
                    if not self._mine(message.host_uuid):
                return []
            case tasks.Welcome() | tasks.Refused():
                return self._answered(message)
            case tasks.Task():
                return self._task(message)
            case tasks.Query():
                return [effects.Reply(answers.answer(self.driver, self._consoles, message))]
            case tasks.ErrandTask():
                return self._errands.handle(message)
            case tasks.FetchImages():
                return caching.fetch(self.driver, message)
            case tasks.Look():
                return self._look(message)
            case tasks.Sweep():
                return self._sweep(message)
            case tasks.DropImage():
                imaging.drop(self.rooms.images, message)
                return []
            case effects.Tick(job="hello"):
                return [self._hello()]
            case effects.Tick(job="guests"):
                return [self._guests()]
            case effects.Tick(job="events"):
                return self._told()
        LOG.warning("a %s came, which an agent does not take", type(message).__name__)
        return []

    def _mine(self, uuid: str) -> bool:
        """Whether a message is for this host, and not for another of its name."""
        if not (uuid and self._uuid) or uuid == self._uuid:
            return True
        LOG.warning("host=%s a message for another host of this name (uuid %s) came here; left "
                    "alone", self.host, uuid)
        return False

    def _answered(self, message: tasks.Welcome | tasks.Refused) -> list[effects.Effect]:
        """What the cell thinks of us."""
        if message.uuid != self._uuid:
            return []
        if isinstance(message, tasks.Welcome):
            if not self.refused:
                return []
            self.refused = None
            LOG.info("host=%s the cell takes this host", self.host)
            return [self._guests()]
        self.refused = message.reason
        LOG.error("host=%s the cell refuses this host, which does nothing until that is mended: %s",
                  self.host, message.reason)
        return []

    def _idle(self, message: msgspec.Struct) -> list[effects.Effect]:
        """Refused: ask again now and then, and do nothing else."""
        if isinstance(message, effects.Tick) and message.job == "hello":
            return [self._hello(starting=True)]
        if isinstance(message, tasks.Query):
            raise errors.Conflict(f"the host {self.host} is refused by its cell")
        return []

    def _conductor(self, message: msgspec.Struct) -> effects.Cast:
        return effects.Cast(address.Cell(self.cell), message)

    def _hello(self, starting: bool = False) -> effects.Cast:
        facts = self.driver.facts()
        self._uuid = facts.uuid
        return self._conductor(tasks.Hello(
            host=self.host, uuid=facts.uuid, node=facts.hostname, starting=starting,
            hypervisor_type=facts.hypervisor_type, hypervisor_version=facts.hypervisor_version,
            capabilities=tuple(sorted(self.driver.capabilities)), inventory=facts.inventory,
            traits=facts.traits, life=self._life, address=self._address,
            cpu_info=facts.cpu_info))

    def _guests(self) -> effects.Cast:
        with self._guard:
            before = set(self._pending)
        guests = tuple(self.driver.guests())
        self._seen = len(guests)
        with self._guard:
            pending = before | set(self._pending)
        return self._conductor(tasks.GuestsSeen(
            host=self.host, guests=guests, pending=tuple(sorted(pending)),
            uuid=self._uuid))

    def _told(self) -> list[effects.Effect]:
        """Events of the driver that nobody's task explains, and that say something new."""
        sent: list[effects.Effect] = []
        while self._events:
            guest = self._events.popleft()
            with self._guard:
                if (guest.uuid in self._pending
                        or self._told_power.get(guest.uuid) == guest.power):
                    continue
                self._told_power[guest.uuid] = guest.power
            sent.append(self._conductor(tasks.GuestChanged(host=self.host, guest=guest)))
        return sent

    def _look(self, message: tasks.Look) -> list[effects.Effect]:
        with self._guard:
            if message.server in self._pending:
                return []
        guest = self.driver.guest(message.server)
        return [self._conductor(tasks.Looked(
            host=self.host, server=message.server, epoch=message.epoch, version=message.version,
            power=guest.power if guest else None))]

    # -- doing ----------------------------------------------------------------------------------

    def _task(self, task: tasks.Task) -> list[effects.Effect]:
        if self._repeats(task):
            return []
        lock = self._enter(task.server, task.stamp)
        try:
            with lock:
                with self._guard:
                    self._doing[task.server] = task
                return self._do(task)
        finally:
            with self._guard:
                if self._doing.get(task.server) is task:
                    del self._doing[task.server]
            self._leave(task.server)

    def _repeats(self, task: tasks.Task) -> bool:
        """Whether it is the very task that is under way: then it says nothing new but what is
        wanted now.  A newer one is waited for, so what is under way need not be finished."""
        with self._guard:
            doing = self._doing.get(task.server)
        if doing is None or doing.stamp > task.stamp:
            return False
        verbs.steer(self.driver, doing, task)
        return doing.stamp == task.stamp

    def _enter(self, server: str, stamp: tuple[int, int]) -> threading.Lock:
        """Make the newest stamp known, so that an older task under way stops at its next step."""
        with self._guard:
            self._newest[server] = max(self._newest.get(server, stamp), stamp)
            self._pending[server] = self._pending.get(server, 0) + 1
            return self._locks.setdefault(server, threading.Lock())

    @contextlib.contextmanager
    def alone(self, server: str) -> collections.abc.Iterator[None]:
        """Nothing else is done to this server meanwhile; what is under way is waited for."""
        lock = self._enter(server, (-1, -1))
        try:
            with lock:
                yield
        finally:
            self._leave(server)

    def _leave(self, server: str) -> None:
        with self._guard:
            self._pending[server] -= 1
            if not self._pending[server]:
                for known in (self._pending, self._newest, self._locks):
                    known.pop(server, None)

    def _do(self, task: tasks.Task) -> list[effects.Effect]:
        entry = self.journal.read(task.server)
        if entry is not None and entry.stamp > task.stamp:
            LOG.info("server=%s verb=%s ticket=%s is older than %s; refused", task.server,
                     task.verb, task.stamp, entry.stamp)
            return []
        if entry is not None and entry.stamp == task.stamp and entry.outcome is not None:
            return [self._conductor(entry.outcome)]
        repeated = entry is not None and entry.stamp == task.stamp
        if not repeated:
            entry = journals.Entry(epoch=task.epoch, ticket=task.ticket, verb=task.verb)
            self.journal.write(task.server, entry)
        try:
            outcome = self._outcome(task, entry, repeated)
        except flow.Interrupted:
            return []
        self.journal.write(task.server, msgspec.structs.replace(
            self.journal.read(task.server), outcome=outcome))
        with self._guard:
            self._told_power.pop(task.server, None)
            if task.verb != "delete" and outcome.power_state is not None:
                self._told_power[task.server] = outcome.power_state
        LOG.info("server=%s verb=%s ticket=%s %s", task.server, task.verb, task.stamp,
                 outcome.result)
        return [self._conductor(outcome)]

    def _outcome(self, task: tasks.Task, entry: journals.Entry,
                 repeated: bool) -> tasks.Report:
        base = dict(server=task.server, epoch=task.epoch, ticket=task.ticket, host=self.host,
                    request_id=task.request_id)
        try:
            attached: list[domain_errands.Errand] = []
            facts = self._carry_out(task, entry, repeated, attached)
        except flow.Interrupted:
            raise
        except errors.Problem as problem:
            return tasks.Report(
                **base, result="failed", error=problem.message,
                elsewhere=isinstance(problem, protocol.HostTrouble))
        except Exception as problem:     # a driver's bug must not leave a server stuck
            LOG.exception("server=%s verb=%s the driver broke", task.server, task.verb)
            return tasks.Report(**base, result="failed", elsewhere=True,
                                error="The hypervisor driver failed; its log says more.",
                                details=f"{type(problem).__name__}: {problem}")
        return tasks.Report(**base, result="done", facts=facts, attached=tuple(attached),
                            power_state=verbs.power(self.driver, task.server, task.verb))

    def _carry_out(self, task: tasks.Task, entry: journals.Entry,
                   repeated: bool, attached: list[domain_errands.Errand]) -> dict[str, str]:
        def before(name: str) -> None:
            self.step(task.server, name)
            with self._guard:
                if self._newest.get(task.server, task.stamp) > task.stamp:
                    raise flow.Interrupted(f"a newer task than {task.verb} has come")

        work_ = self._work(task, repeated, before, attached)
        doing = verbs.WORKS.get(task.verb)
        if doing is not None:
            facts = doing(work_)
            imaging.leave(work_)
            return facts
        before(task.verb)
        if task.verb == "delete":
            self.driver.destroy(task.server)
            imaging.leave(work_)
            attached += errands.let_go(self.rooms, task.attached)
            return {}
        move = verbs.MOVES.get(task.verb)
        if move is None:
            raise errors.Unsupported(f"this host cannot {task.verb.replace('_', ' ')}")
        if task.verb in verbs.ONCE:
            if task.verb in entry.steps:
                self.driver.start(task.server)
                return {}
            self.journal.write(task.server, msgspec.structs.replace(
                entry, steps=(*entry.steps, task.verb)))
        move(self.driver, task.server)
        return {}

    def _work(self, task: tasks.Task, repeated: bool,
              before: collections.abc.Callable[[str], None],
              attached: list[domain_errands.Errand] | None = None) -> work.Work:
        def first(step: str) -> bool:
            entry = self.journal.read(task.server)
            if step in entry.steps:
                return False
            self.journal.write(task.server, msgspec.structs.replace(
                entry, steps=(*entry.steps, step)))
            return True

        def tell(phase: int, facts: dict[str, str]) -> None:
            self.send(self._conductor(tasks.Report(
                server=task.server, epoch=task.epoch, ticket=task.ticket, host=self.host,
                result="progress", phase=phase, facts=facts, request_id=task.request_id)))

        return work.Work(
            task=task, driver=self.driver, rooms=self.rooms, host=self.host,
            attached=[] if attached is None else attached,
            secrets=self._seal.open_secrets(task.secrets), open=self._seal.open_secrets,
            repeated=repeated, step=before, first=first, progress=lambda phase: tell(phase, {}),
            tell=tell)

    def _sweep(self, message: tasks.Sweep) -> list[effects.Effect]:
        """Destroy what is left of a server that the cell knows to be gone from here, unless a
        newer task has come since the cell looked."""
        stamp = (message.epoch, message.ticket)
        lock = self._enter(message.server, stamp)
        try:
            with lock:
                entry = self.journal.read(message.server)
                if entry is not None and entry.stamp > stamp:
                    return []
                self.journal.write(message.server, journals.Entry(
                    epoch=message.epoch, ticket=message.ticket, verb="sweep"))
                self.driver.destroy(message.server)
                LOG.info("server=%s swept: %s", message.server, message.reason)
        finally:
            self._leave(message.server)
        return []
