# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""``handle(message, now) -> effects`` of a scheduler.

It keeps no promise: what it proposed is debited in its memory for a few seconds, so that several
boots at once do not all get the same host, and then forgotten.
"""

import logging

import msgspec

from nova_cells.db.cell import places
from nova_cells.domain import effects, errors, selection
from nova_cells.scheduler import asking, fleet

LOG = logging.getLogger(__name__)


class Selector:
    """One scheduler of one cell.  Each breaks ties in its own order, so that several seldom
    propose the same host at the same time."""

    JOBS = {"look": 1.0}

    def __init__(self, store, identity, ids) -> None:  # noqa: ANN001
        self.cell = identity.uuid
        self.places = places.Places(store, fleet.own_rank(ids.uuid()))
        self.answered = self.empty = 0           # for the metrics

    def start(self, now: float) -> list[effects.Effect]:
        """Know the hosts before the first question."""
        self.places.look(now, force=True)
        return []

    def handle(self, message: msgspec.Struct, now: float) -> list[effects.Effect]:
        """One question or one tick."""
        match message:
            case selection.Select():
                return [effects.Reply(self._select(message, now))]
            case effects.Tick():
                self.places.look(now)
                return []
        LOG.warning("a %s came, which a scheduler does not take", type(message).__name__)
        return []

    def _select(self, message: selection.Select, now: float) -> selection.Selected:
        self.places.doubt(message.again)
        self.places.look(now)
        found, reason = [], ""
        for wanted in message.wanted:
            try:
                found.append(tuple(self.places.propose(
                    wanted.server, asking.request(wanted), max(1, message.count), now)))
            except errors.NoPlace as problem:
                found.append(())
                reason = problem.message
        if not self.answered:
            LOG.info("a conductor asks: proposing hosts from now on")
        self.answered += len(found)
        self.empty += found.count(())
        return selection.Selected(proposals=tuple(found), reason=reason)
