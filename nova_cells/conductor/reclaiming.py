# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Reclaiming: what was deleted softly is deleted for good when its time has come.

The cell's own business, for it owns the server: no API cell is needed.  Its time counts from
``deleted_at`` in the record, by the clocks of the cell's conductors.  Any of several may do it; a
server that is restored just then has another version, and is looked at again.
"""

import logging

from nova_cells.db import again
from nova_cells.domain import commands, effects

LOG = logging.getLogger(__name__)


class Reclaiming:
    """The job "reclaim"."""

    def __init__(self, conductor) -> None:  # noqa: ANN001
        self._c = conductor
        self._store = conductor.store

    def tick(self, now: float) -> list[effects.Effect]:
        """Those whose time has come; each alone."""
        interval = self._c.settings.reclaim_instance_interval
        if interval <= 0:
            return []
        with self._store.read() as tx:
            due = [held.uuid for held in self._store.servers.soft_deleted(tx, now - interval)]
        sent: list[effects.Effect] = []
        for uuid in due:
            sent += again.decide(self._one, uuid, now - interval, now)
        return sent

    def _one(self, uuid: str, before: float, now: float) -> list[effects.Effect]:
        with self._store.write() as tx:
            held = self._store.servers.get(tx, uuid)
            server = held.server if held is not None else None
            if server is None or server.rest != "soft_deleted" or server.verb is not None \
                    or (server.deleted_at or now) > before:
                return []
            LOG.info("server=%s its time to be restored is over", uuid)
            return self._c.changes.begin_delete(tx, commands.Delete(
                op=self._c.ids.uuid(), server=uuid, epoch=held.epoch, origin=commands.Origin(
                    user_id=server.user_id, project_id=server.project_id)), held, now)
