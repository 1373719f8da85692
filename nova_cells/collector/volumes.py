# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Claims of volumes that nobody settled, and those of servers that are gone (law T14).

Runs at the top, for what it looks at is the top's: claims, and the view's rows.  A volume is
deleted here only if this deployment made it and no server came of the request, or its server went
without ever having been in a cell and had it deleted with itself; everything else its cell sees to.
No transaction is open while the volume service is asked; one that does not answer is asked later.
"""

import logging

from nova_cells.db.view import claims
from nova_cells.domain import codec, errors
from nova_cells.domain import server as model

LOG = logging.getLogger(__name__)
_unpack = codec.Unpacker(model.Server)


class Volumes:
    """Looks after claims."""

    def __init__(self, view, room, patience: float = 120.0) -> None:  # noqa: ANN001
        self._view, self._room, self._patience = view, room, patience

    def tick(self, now: float) -> None:
        """Those that were asked for long ago: settled, renewed, or given back and dropped."""
        with self._view.read() as tx:
            if not self._view.claims.count(tx):
                return
            found = self._view.claims.old(tx, now - self._patience)
        for claim in found:
            try:
                self._one(claim, now)
            except errors.Problem as problem:
                LOG.warning("server=%s claim=%s volume=%s is looked at again later: %s",
                            claim.server, claim.uuid, claim.volume, problem)
                return                   # it is the volume service: the others can wait, too

    def _one(self, claim: claims.Claim, now: float) -> None:
        with self._view.read() as tx:
            row = self._view.servers.row(tx, claim.server)
            cell = self._view.cells.get(tx, row.cell) if row is not None and row.cell else None
            kept = self._kept(claim, row)
            over = row is None or row.deleted or not row.placed
        if not kept and not over and not claim.settled and (cell is None or not cell.up):
            kept = True                  # what its cell says of it is not here yet
        if not kept and claim.made and (row is None or (over and self._goes(claim, row))):
            for volume in self._room.made(claim.uuid):
                LOG.info("server=%s volume=%s is deleted: no server came of it", claim.server,
                         volume.id)
                self._room.delete(volume.id)
        with self._view.write() as tx:
            if kept:
                self._view.claims.look_later(tx, claim, now)
                if row is not None:
                    self._view.claims.settle(tx, claim.uuid)
            else:
                self._view.claims.drop(tx, claim.uuid)

    @staticmethod
    def _kept(claim: claims.Claim, row) -> bool:  # noqa: ANN001
        """Whether the server's record shows it."""
        return row is not None and not row.deleted and any(
            (one.errand, one.volume_id) == (claim.errand, claim.volume)
            for one in _unpack(row.record).attachments)

    @staticmethod
    def _goes(claim: claims.Claim, row) -> bool:  # noqa: ANN001
        """Whether it goes with its server, which no cell ever had."""
        return row.deleted and not row.cell and any(
            one.errand == claim.errand and one.delete_on_termination
            for one in _unpack(row.record).attachments)
