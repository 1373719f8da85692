# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a cell does around a verb, where the lifecycle table alone is not enough.

The table says where a verb may start and where it lands; a *course* says what else happens in
the same transactions: what is checked and claimed when it begins, which host does the task, what
of the host's report goes into the record, what is given back when it ends.  A verb without a
course of its own takes ``Course``: its task goes to the server's host, and nothing else happens.

A verb may need several hosts, one after the other (a move: the source, then the destination).
Then its course sends its task to them in *legs*.  ``Wanted.leg`` says which one is under way; it
travels in the task, so the host knows what is its part, and ``host`` says whose part it is.  When a
host has reported "done", ``following`` answers with the next ``Leg``, or None: that was all, the
verb is done.  When it has reported "failed", ``instead`` answers with another leg (on another host,
or back over what was done), or None: the verb failed.  A leg that goes back ends in ``Failed``.
Each leg has a ticket of its own, so a late report or task of an earlier one changes nothing, and
one host may do two legs.  Nothing else is new: legs are repeated, watched and interrupted as any
task is.

May assume that the server is read in this transaction.  Never saves the server and never moves
its version: who calls does both.  A migration is saved here, before the server.
"""

import typing

from nova_cells.domain import effects, errors, lifecycle, tasks
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants

Facts = dict[str, typing.Any]


class Leg(typing.NamedTuple):
    """What the hosts shall do next: what is saved as wanted from now on, with its ``leg``, and the
    fields of the record that change with it ("phase", for one)."""

    wanted: wants.Wanted
    facts: Facts


class Failed(typing.NamedTuple):
    """It is over, and failed: what an earlier leg could not do is undone now."""

    why: str
    details: str | None = None


class Done(typing.NamedTuple):
    """It is over, and done, whatever the host that did not answer would have said."""

    facts: Facts


#: What a host may say of itself in a report, for any verb.
FACTS = ("root_device_name", "instance_name", "node")


class Course:
    """The course of a verb that happens on the server's own host."""

    def __init__(self, conductor) -> None:  # noqa: ANN001
        self._c = conductor
        self._store = conductor.store

    def begin(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
              now: float) -> tuple[model.Server, wants.Wanted]:
        """The verb has just begun: check and claim.  Returns the server, changed by
        ``model.replace`` at most, and what is saved as wanted.  Raises what the user shall hear;
        only ``NoPlace`` nobody hears: the verb has begun, and failed.  What is asked of the course
        then finds no migration in ``wanted``."""
        self.able(tx, server, server.host)
        return server, wanted

    def host(self, server: model.Server, wanted: wants.Wanted) -> str | None:
        """The host that does the verb's task, now."""
        return server.host

    def following(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
                  report: tasks.Report, now: float) -> Leg | Failed | None:
        """A host has done its part: the next leg; or None, that was all."""
        return None

    def instead(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
                report: tasks.Report, now: float) -> Leg | None:
        """A host could not do its part, and went back over it: another leg; or None, the verb
        failed."""
        return None

    def progressed(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
                   report: tasks.Report, now: float) -> Facts:
        """A host tells how far it is: the fields of the record that change with it."""
        return {}

    def alone(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
              now: float) -> Leg | Failed | Done | None:
        """The host whose part it is is down: what happens without it; or None, it is waited for."""
        return None

    def overdue(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
                now: float) -> Leg | None:
        """Its time is over and its host is up: another leg, before it is given up; or None."""
        return None

    def event(self, server: model.Server, wanted: wants.Wanted) -> str:
        """What users read of this leg among the steps of the action."""
        return lifecycle.VERBS[server.verb].event

    def done(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
             report: tasks.Report, now: float) -> Facts:
        """It is done: the fields of the record that change with it."""
        return {name: value for name, value in report.facts.items() if name in FACTS}

    def after(self, server: model.Server) -> str | None:
        """It is done: the verb that follows at once, as a part of the same operation."""
        return None

    def parting(self, tx, server: model.Server) -> list[effects.Effect]:  # noqa: ANN001
        """It is done, and written down: what else is sent, that nobody waits for.  ``server``:
        as it was before."""
        return []

    def given_up(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
                 now: float) -> Facts:
        """Nobody says how it ended: the watchdog or an operator ends it.  As ``failed``, where the
        host may yet do what it was told."""
        return self.failed(tx, server, wanted, now)

    def failed(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
               now: float) -> Facts:
        """It failed, or was given up (then nobody knows what hosts did): the fields of the record
        that change with it."""
        return {}

    def able(self, tx, server: model.Server, host: str | None) -> None:  # noqa: ANN001
        """Raise unless this host is there and can do the verb."""
        verb = lifecycle.VERBS[server.verb]
        record = self._store.hosts.get(tx, host) if host else None
        if record is None:
            raise errors.Conflict(lifecycle.unready(server, verb.name))
        if verb.capability and verb.capability not in record.capabilities:
            raise errors.Unsupported(f"the hypervisor of instance {server.uuid} cannot "
                                     f"{verb.capability.replace('_', ' ')}")


class Courses:
    """The course of each verb."""

    #: Verbs with a course of their own: verb -> class.  A room adds its own row.
    OWN: typing.ClassVar[dict[str, type[Course]]] = {}

    def __init__(self, conductor) -> None:  # noqa: ANN001
        from nova_cells.conductor import evacuating, inplace, live_migrating, resizing, shelving
        own = {**self.OWN, **inplace.OWN, **shelving.OWN, **live_migrating.OWN,
               **evacuating.OWN, **resizing.OWN}
        self._store = conductor.store
        self._plain = Course(conductor)
        self._own = {verb: course(conductor) for verb, course in own.items()}

    def of(self, verb: str) -> Course:
        """The course of this verb."""
        return self._own.get(verb, self._plain)

    def host(self, tx, server: model.Server) -> str | None:  # noqa: ANN001
        """The host that does its part of the verb under way, now."""
        return self.of(server.verb).host(server, self._store.servers.wanted(tx, server.uuid))
