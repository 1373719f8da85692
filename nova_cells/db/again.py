# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Deciding again: what to do when the database took a transaction back.

A deadlock, a certification failure of Galera, a lock that was waited for too long and an insert
that lost a race all undo the whole transaction.  What was read in it is worth nothing then, so the
whole decision is repeated and not its last statement.
"""

import collections.abc
import logging
import random
import time
import typing

from oslo_db import exception as db_exc

from nova_cells.domain import errors

P = typing.ParamSpec("P")
T = typing.TypeVar("T")
LOG = logging.getLogger(__name__)
TRIES = 5
PATIENCE = 20.0                  # seconds after which no further try is begun
PAUSE = 0.02                     # seconds, at most, before the second try; doubles

#: After these nothing of the transaction is there.
TAKEN_BACK = (db_exc.DBDeadlock, db_exc.DBDuplicateEntry)
_TRIED = "nova_cells_tried"      # on a problem: somebody further in has tried often enough


def decide(decision: collections.abc.Callable[P, T], *args: P.args,
           **kwargs: P.kwargs) -> T:
    """Call ``decision`` until the database lets its transactions stand, or ``TRIES`` times.

    ``decision`` reads everything that it decides by inside its own transactions, and does nothing
    but them: no message is sent in it.  Never repeats what failed because a connection was lost,
    for that commit may have been carried out; nor what was tried often enough further in.
    """
    return _decide((*TAKEN_BACK, errors.Stale), lambda: decision(*args, **kwargs))


def answer(handler: collections.abc.Callable[P, T], *args: P.args,
           **kwargs: P.kwargs) -> T:
    """``decide`` for a handler whose decisions that send messages are repeated further in: here
    only what the database itself took back."""
    return _decide(TAKEN_BACK, lambda: handler(*args, **kwargs))


def _decide(kinds: tuple[type[Exception], ...], decision: collections.abc.Callable[[], T]) -> T:
    until = time.monotonic() + PATIENCE
    attempt = 1
    while True:
        try:
            return decision()
        except kinds as problem:
            if hasattr(problem, _TRIED) or attempt == TRIES or time.monotonic() >= until:
                setattr(problem, _TRIED, True)
                raise
            LOG.info("the database took it back, try %d: %s", attempt, type(problem).__name__)
        time.sleep(random.uniform(0, PAUSE * 2 ** attempt))  # nosec B311
        attempt += 1
