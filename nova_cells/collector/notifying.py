# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Sends notifications: one collector of those that run, in order, at least once.

May assume ``send(event_type, payload, created_at)``, which raises when the broker did not take
it.  Never deletes what was not taken; never holds a transaction while it sends.
"""

import collections.abc
import logging

import orjson
from oslo_db import exception as db_exc

from nova_cells.domain import errors

LOG = logging.getLogger(__name__)
BATCH = 200
STALE = 15.0                     # seconds without a move after which a sender counts as gone

Send = collections.abc.Callable[[str, dict, float], None]


class Notifying:
    """Of one collector; ``own`` is its name in the lease."""

    def __init__(self, view, own: str, send: Send) -> None:  # noqa: ANN001
        self._view, self._own, self._send = view, own, send
        self._seen: tuple[str, int] | None = None
        self._moved = float("-inf")              # when the lease was seen to move

    def tick(self, now: float) -> int:
        """Send what waits, if that is ours to do.  How many were sent."""
        with self._view.read() as tx:
            waiting = self._view.notifications.oldest(tx, BATCH)
            lease = self._view.notifications.lease(tx)
        if lease != self._seen or now < self._moved:
            self._seen, self._moved = lease, now
        if not waiting or not self._ours(lease, now):
            return 0
        sent: list[int] = []
        try:
            for one in waiting:
                self._send(one.event_type, orjson.loads(one.payload), one.created_at)
                sent.append(one.id)
        except errors.Problem as problem:
            LOG.warning("notifications wait (%d of them here): %s", len(waiting) - len(sent),
                        problem)
        with self._view.write() as tx:
            self._view.notifications.sent(tx, sent)
        return len(sent)

    def _ours(self, lease: tuple[str, int] | None, now: float) -> bool:
        if lease is not None and lease[0] != self._own and now - self._moved < STALE:
            return False
        try:
            with self._view.write() as tx:
                return self._view.notifications.take(tx, self._own, lease)
        except db_exc.DBDuplicateEntry:          # another was first
            return False
