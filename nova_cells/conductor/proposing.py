# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Who proposes hosts: the library in this process, or the cell's scheduler service.

Proposals are made on a snapshot, outside any transaction.  They may be old or wrong: the claim
decides.  A scheduler that does not answer, or has nothing to propose, is only a question that was
asked in vain: the library answers instead, so no boot ever waits for a dead scheduler.
"""

import collections.abc
import logging
import threading
import typing

from nova_cells.db.cell import places as known
from nova_cells.domain import address, errors, selection
from nova_cells.scheduler import asking, choose

LOG = logging.getLogger(__name__)
COUNT = 3                        # proposals for one server: the best, and its alternates
BUDGET = 1.0                     # seconds that a scheduler has to answer
SILENCE = 10.0                   # seconds for which one that did not is left alone

Ask = collections.abc.Callable[[address.Address, selection.Select, float], typing.Any]


class Chooser(typing.Protocol):
    """Proposes hosts for one server."""

    def propose(self, places: known.Places, server: str, request: choose.Request,
                now: float) -> list[selection.Proposal]:
        """Best first.  Raises ``NoPlace``; the caller then looks for itself before it believes
        it."""


class Library:
    """Chooses in this process, on what this process knows."""

    def propose(self, places: known.Places, server: str, request: choose.Request,
                now: float) -> list[selection.Proposal]:
        """Best first, after a look if it is time for one."""
        places.look(now)
        return self.choose(places, server, request, now)

    def choose(self, places: known.Places, server: str, request: choose.Request,
               now: float) -> list[selection.Proposal]:
        """Best first, without a look: no statement."""
        return places.propose(server, request, COUNT, now)


class Service:
    """Asks a scheduler of the cell, and the library when there is no answer.

    ``ask`` is a bounded call on the cell's own bus.  It is only made while no transaction is open
    (decision 0012).
    """

    def __init__(self, cell: str, ask: Ask) -> None:
        self._to = address.Scheduler(cell)
        self._ask = ask
        self._library = Library()
        self._lock = threading.Lock()
        self._silent_since: float | None = None
        self.answered = self.unanswered = 0      # for the metrics

    def propose(self, places: known.Places, server: str, request: choose.Request,
                now: float) -> list[selection.Proposal]:
        """Best first."""
        if not self._left_alone(now):
            found = self._asked(places, server, request, now)
            if found:
                return found
        return self._library.propose(places, server, request, now)

    def _left_alone(self, now: float) -> bool:
        """Whether it was silent lately.  When that is over one question tries it, not all."""
        with self._lock:
            if self._silent_since is None:
                return False
            if 0 <= now - self._silent_since < SILENCE:
                return True
            self._silent_since = now
            return False

    def _asked(self, places: known.Places, server: str, request: choose.Request,
               now: float) -> list[selection.Proposal]:
        doubted = places.take_doubts()
        question = selection.Select(wanted=(asking.wanted(server, request),), count=COUNT,
                                    again=doubted)
        try:
            answer = self._ask(self._to, question, BUDGET)
        except errors.Problem as problem:
            self._note(now, problem)
            places.doubt(doubted)
            return []
        self._note(now, None)
        return list(answer.proposals[0]) if isinstance(answer, selection.Selected) \
            and answer.proposals else []

    def _note(self, now: float, problem: errors.Problem | None) -> None:
        """One line when it falls silent, one when it is back."""
        with self._lock:
            before, self._silent_since = self._silent_since, None if problem is None else now
            self.answered += problem is None
            self.unanswered += problem is not None
        if problem is not None and before is None:
            LOG.warning("no scheduler of the cell answers (%s): hosts are chosen here meanwhile",
                        problem)
        elif problem is None and before is not None:
            LOG.info("a scheduler of the cell answers again")
