# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Side errands on a host: attaching and detaching, one at a time per server, each repeatable.

The highest ticket of each errand is kept durably, as of servers: a late attach cannot bring back
what was detached.  Carrying one out twice must change nothing, so no outcome is kept.  An errand
waits for the task of its server that is under way, and stops none.
"""

import collections.abc
import dataclasses
import logging
import typing

from nova_cells.compute import journal as journals
from nova_cells.compute import rooms
from nova_cells.domain import address, effects, errands, errors, tasks
from nova_cells.domain import server as model

LOG = logging.getLogger(__name__)
Doing = collections.abc.Callable[["Work"], errands.Errand]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work:
    """One errand, and what carrying it out may use."""

    errand: errands.Errand
    record: model.Server | None          # None: the server is gone, its guest too
    driver: typing.Any
    rooms: typing.Any                    # compute.rooms.Rooms
    host: str
    step: collections.abc.Callable[[str], None]      # told of each step before it is taken


#: What carries a verb out: (kind, verb) -> function of a Work that returns the errand with what
#: was learned of it.  A room adds its rows when it is imported by ``compute.verbs``.
WORKS: dict[tuple[str, str], Doing] = {}
#: Kind -> what lets go of all of it that is outside of this host, guest or no guest; may be done
#: again.  Used when a server is deleted, and after.
RELEASES: dict[str, collections.abc.Callable[[rooms.Rooms, errands.Errand], None]] = {}


def let_go(found: rooms.Rooms, attached: tuple[errands.Errand, ...]) -> list[errands.Errand]:
    """Of a server whose guest is gone; those that could be let go of.  The others are asked for
    again by the cell, of any host."""
    done = []
    for errand in attached:
        release = RELEASES.get(errand.kind)
        if release is None:
            continue
        try:
            release(found, errand)
        except errors.Problem as problem:
            LOG.warning("server=%s errand=%s cannot be released yet: %s", errand.server,
                        errand.uuid, problem)
        else:
            done.append(errand)
    return done


class Errands:
    """The errands of one agent."""

    def __init__(self, agent) -> None:  # noqa: ANN001
        self._a = agent

    def handle(self, task: tasks.ErrandTask) -> list[effects.Effect]:
        """Carry one out, unless a later task of it or of its server has come."""
        with self._a.alone(task.server):
            seen = self._a.journal.read(task.server)
            if seen is not None and seen.stamp > (task.epoch, task.version):
                LOG.info("server=%s errand=%s was sent before a task that came; left", task.server,
                         task.errand.uuid)
                return []
            errand = task.errand
            entry = self._a.journal.read(errand.uuid)
            if entry is not None and entry.stamp > errand.stamp:
                LOG.info("server=%s errand=%s ticket=%s is older than %s; refused", task.server,
                         errand.uuid, errand.stamp, entry.stamp)
                return []
            if entry is None or entry.stamp != errand.stamp:
                self._a.journal.write(errand.uuid, journals.Entry(
                    epoch=errand.epoch, ticket=errand.ticket, verb=errand.verb or ""))
            report = self._outcome(task)
        LOG.info("server=%s errand=%s verb=%s ticket=%s %s", task.server, errand.uuid, errand.verb,
                 errand.stamp, report.result)
        return [effects.Cast(address.Cell(self._a.cell), report)]

    def _outcome(self, task: tasks.ErrandTask) -> tasks.ErrandReport:
        errand = task.errand
        base = dict(server=task.server, epoch=errand.epoch, ticket=errand.ticket,
                    host=self._a.host, request_id=task.request_id)
        try:
            if errand.verb == "release" and errand.kind in RELEASES:
                RELEASES[errand.kind](self._a.rooms, errand)
                return tasks.ErrandReport(**base, errand=errand, result="done")
            doing = WORKS.get((errand.kind, errand.verb or ""))
            if doing is None:
                raise errors.Unsupported(
                    f"this host cannot {(errand.verb or '').replace('_', ' ')}")
            done = doing(Work(
                errand=errand, record=task.record, driver=self._a.driver, rooms=self._a.rooms,
                host=self._a.host, step=lambda name: self._a.step(task.server, name)))
        except errors.Problem as problem:
            return tasks.ErrandReport(**base, errand=errand, result="failed",
                                      error=problem.message, family=problem.family,
                                      left=bool(problem.facts.get("left")))
        except Exception as problem:     # a driver's bug must not leave an errand stuck
            LOG.exception("server=%s errand=%s verb=%s broke", task.server, errand.uuid,
                          errand.verb)
            return tasks.ErrandReport(
                **base, errand=errand, result="failed", family="bug",
                error="The host failed; its log says more.",
                details=f"{type(problem).__name__}: {problem}")
        return tasks.ErrandReport(**base, errand=done, result="done")
