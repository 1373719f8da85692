# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Resizes that nobody confirms are confirmed after a while, if the operator wants it so
([DEFAULT] resize_confirm_window)."""

import logging

from nova_cells.domain import commands, effects, errors

LOG = logging.getLogger(__name__)


class Confirming:
    """Confirms what has waited long enough: an order like a user's, with an action of its own."""

    def __init__(self, conductor) -> None:  # noqa: ANN001
        self._c = conductor
        self._store = conductor.store

    def tick(self, now: float) -> list[effects.Effect]:
        """Those whose time has come.  One that cannot be now is tried again with the next tick."""
        window = self._c.settings.resize_confirm_window
        if window <= 0:
            return []
        with self._store.read() as tx:
            waiting = self._store.migrations.waiting(tx, now - window)
            held = self._store.servers.some(tx, waiting)
        sent: list[effects.Effect] = []
        for uuid in waiting:
            if uuid in held:
                sent += self._one(uuid, held[uuid].epoch, now)
        return sent

    def _one(self, uuid: str, epoch: int, now: float) -> list[effects.Effect]:
        order = commands.Act(op=self._c.ids.uuid(), server=uuid, epoch=epoch,
                             verb="confirm_resize")
        try:
            done = self._c.changes.handle(order, now)
        except errors.Problem as problem:        # somebody was faster, or its host is down
            LOG.info("server=%s its resize is not confirmed yet: %s", uuid, problem)
            return []
        LOG.info("server=%s its resize has waited long enough: confirmed", uuid)
        return [effect for effect in done if not isinstance(effect, effects.Reply)]
