"""The watchdog: no verb is ever stuck.  It asks again, and in the end it gives up in words.

Every open verb is a row with a time when to ask; tasks may be repeated, so asking again is
sending the task again (law T5).
"""

import logging

from nova_cells import context
from nova_cells.db import again
from nova_cells.db.cell import servers as server_rows
from nova_cells.domain import effects, lifecycle

LOG = logging.getLogger(__name__)


class Watchdog:
    """Asks about open verbs."""

    def __init__(self, conductor) -> None:  # noqa: ANN001
        self._c = conductor
        self._store = conductor.store

    def everything(self, now: float) -> list[effects.Effect]:
        """Every open verb's task again: a conductor that starts does not know what was sent."""
        with self._store.read() as tx:
            return [*(self._c.placing.task(tx, held.server)
                      for held in self._store.servers.busy(tx)
                      if held.server.host and lifecycle.VERBS[held.server.verb].phases),
                    *self._c.errands.everything(tx)]

    def tick(self, now: float) -> list[effects.Effect]:
        """Those whose time has come."""
        with self._store.read() as tx:
            due = [held.uuid for held in self._store.servers.due(tx, now)]
        sent: list[effects.Effect] = []
        for uuid in due:
            sent += again.decide(self._one, uuid, now)   # alone: the others' tasks are not lost
        return [*sent, *self._c.errands.tick(now)]

    def _one(self, uuid: str, now: float) -> list[effects.Effect]:
        with self._store.write() as tx:
            held = self._store.servers.get(tx, uuid)
            if held is None or held.server is None or not held.server.verb:
                return []
            request_id = self._store.actions.request_of(tx, uuid)
            with context.on_behalf(request_id, server=uuid, verb=held.server.verb):
                return self._ask(tx, held, now)

    def _ask(self, tx, held: server_rows.Held, now: float) -> list[effects.Effect]:  # noqa: ANN001
        server = held.server
        verb = lifecycle.VERBS[server.verb]
        host = self._c.courses.host(tx, server)
        up = self._c.hosts.is_up(tx, host) if host else False
        if verb.name == "delete" and not up:
            # What is left of the guest is swept when the host comes back and shows it.
            self._c.reports.end(tx, server, held.op, now)
            return [effects.Wake("relay")]
        instead = self._instead(tx, server, up, self._overdue(held, verb, now), now)
        if instead is not None:
            return [*self._c.reports.without(tx, held, instead, now), effects.Wake("relay")]
        if self._overdue(held, verb, now):
            self._c.reports.fail(
                tx, held, f"{verb.action} did not finish within {verb.limit} seconds on its "
                f"host{'' if up else ', which does not answer'}", None, now, given_up=True)
            return [effects.Wake("relay")]
        LOG.info("server=%s verb=%s version=%d is asked about again", server.uuid, verb.name,
                 server.version)
        self._store.servers.ask_later(tx, held, now + self._c.settings.ask_again)
        return [self._c.placing.task(tx, server)] if up else []

    def _overdue(self, held: server_rows.Held, verb: lifecycle.Verb, now: float) -> bool:
        age = now - held.began_at
        return age > verb.limit * self._c.settings.limit_factor and verb.name != "delete"

    def _instead(self, tx, server, up: bool, overdue: bool, now: float):  # noqa: ANN001, ANN202
        """What its course does when its host is down, or when its time is over."""
        course, wanted = self._c.courses.of(server.verb), self._store.servers.wanted(
            tx, server.uuid)
        if not up:
            return course.alone(tx, server, wanted, now)
        return course.overdue(tx, server, wanted, now) if overdue else None
