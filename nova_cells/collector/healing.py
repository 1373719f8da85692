"""Anti-entropy, resync and verify: how the view and a child are compared and made equal.

Long work is an order in the view database, moved on one step at a time by compare-and-swap,
so that a collector may die in the middle and another goes on.
"""

import logging

from nova_cells.db.view import orders as ordering
from nova_cells.domain import address, commands, effects, lifecycle, records

LOG = logging.getLogger(__name__)
HOST_ORDERS = {"set host": commands.SetHost, "forget host": commands.ForgetHost}


class Healing:
    """Compares digests and works off orders."""

    def __init__(self, view, settings) -> None:  # noqa: ANN001
        self.view = view
        self.settings = settings
        self._asked: dict[str, float] = {}

    # -- anti-entropy -----------------------------------------------------------------------

    def ask(self, now: float) -> list[effects.Effect]:
        """Ask each cell for its digests, now and then."""
        with self.view.read() as tx:
            cells = self.view.cells.all(tx)
        due = [cell for cell in cells if cell.up and cell.halted is None
               and now - self._asked.get(cell.uuid, -1e9) >= self.settings.heal_interval]
        for cell in due:
            self._asked[cell.uuid] = now
        return [effects.Cast(address.Cell(cell.uuid), commands.ReadDigests()) for cell in due]

    def compare(self, message: commands.Digests, sender: str,
                now: float) -> list[effects.Effect]:
        """Buckets that differ have their records sent up again; they are merely late as a rule.
        What the child does not have at all it marks too, for the view to learn."""
        with self.view.read() as tx:
            cell = self.view.cells.get(tx, sender)
            if cell is None or cell.halted or cell.incarnation != message.incarnation:
                return []
            mine = records.digests(self.view.servers.stamps(tx, sender))
            differing = [bucket for bucket in range(records.BUCKETS)
                         if mine[bucket] != message.digests[bucket]]
            known = {bucket: tuple(self.view.servers.stamps(tx, sender, bucket))
                     for bucket in differing}
        if not differing and cell.resyncing:
            with self.view.write() as tx:
                self.view.cells.update(tx, sender, now, resyncing=False)
        if differing:
            LOG.info("cell=%s buckets=%d differ; asking for them again", sender, len(differing))
        return [effects.Cast(address.Cell(sender),
                             commands.Resync(bucket=bucket, known=known[bucket]))
                for bucket in differing]

    # -- orders -----------------------------------------------------------------------------

    def orders(self, now: float) -> list[effects.Effect]:
        """Start waiting orders; ask again where a running one is not answered."""
        sent: list[effects.Effect] = []
        with self.view.read() as tx:
            open_orders = self.view.orders.open(tx)
        for order in open_orders:
            if order.state == "waiting":
                sent += self._start(order, now)
            elif now - order.updated_at > self.settings.resync_retry or now < order.updated_at:
                sent += self._step(order)
        return sent

    def _start(self, order: ordering.OrderRow, now: float) -> list[effects.Effect]:
        with self.view.write() as tx:
            if not self.view.orders.update(tx, order.id, "waiting", now, state="running",
                                           body={**order.body, "bucket": 0, "marked": 0}):
                return []
            if order.kind == "resync":
                self.view.cells.update(tx, order.cell, now, resyncing=True)
            running = self.view.orders.get(tx, order.id)
        return self._step(running)

    def _step(self, order: ordering.OrderRow) -> list[effects.Effect]:
        """What is asked of the child next."""
        if order.kind in HOST_ORDERS:
            return [effects.Cast(address.Cell(order.cell), HOST_ORDERS[order.kind](
                order=order.id, **{name: value for name, value in order.body.items()
                                   if name not in ("bucket", "marked")}))]
        if order.kind == "verify":
            return [effects.Cast(address.Cell(order.cell), commands.Verify(order=order.id))]
        bucket = order.body["bucket"]
        with self.view.read() as tx:
            known = tuple(self.view.servers.stamps(tx, order.cell, bucket, living=False))
        return [effects.Cast(address.Cell(order.cell), commands.Resync(
            bucket=bucket, known=known, order=order.id,
            lift=order.body.get("truth") == "child"))]

    def resynced(self, message: commands.Resynced, sender: str,
                 now: float) -> list[effects.Effect]:
        """One bucket is done: the next, or the end."""
        with self.view.write() as tx:
            order = self.view.orders.get(tx, message.order) if message.order else None
            if order is None or order.state != "running" or order.cell != sender \
                    or order.body["bucket"] != message.bucket:
                return []
            self._lost(tx, message, sender, now)
            body = {**order.body, "bucket": message.bucket + 1,
                    "marked": order.body["marked"] + message.marked}
            if body["bucket"] < records.BUCKETS:
                self.view.orders.update(tx, order.id, "running", now, body=body,
                                        progress=100 * body["bucket"] // records.BUCKETS)
            else:
                self.view.cells.update(tx, sender, now, incarnation=message.incarnation,
                                       halted=None)
                self.view.orders.update(tx, order.id, "running", now, state="done",
                                        progress=100, result={"marked": body["marked"]})
                return [effects.Cast(address.Cell(sender), commands.ReadDigests())]
            order = self.view.orders.get(tx, order.id)
        return self._step(order)

    def _lost(self, tx, message: commands.Resynced, sender: str,  # noqa: ANN001
              now: float) -> None:
        """The child is the truth, and has no trace of these: they are gone."""
        for uuid in message.lost:
            server = self.view.servers.record(tx, uuid)
            if server is not None and not server.deleted:
                gone = lifecycle.finish(lifecycle.begin(server, "delete", now), now)
                self.view.servers.apply(tx, gone, sender, now)

    def host_settled(self, message: records.HostSettled, sender: str,
                     now: float) -> list[effects.Effect]:
        """An order about a host was carried out, or could not be."""
        with self.view.write() as tx:
            order = self.view.orders.get(tx, message.order)
            if order is None or order.state != "running" or order.cell != sender \
                    or order.kind not in HOST_ORDERS:
                return []
            record = message.record
            if record is not None and record.host is not None:
                self.view.records.keep_host(tx, sender, record.host, record.version, now)
            ended = ({"state": "failed", "result": {"error": message.problem}} if message.problem
                     else {"state": "done", "result": {"host": order.body["host"]}})
            self.view.orders.update(tx, order.id, "running", now, progress=100, **ended)
        return []

    def verified(self, message: commands.Verified, sender: str,
                 now: float) -> list[effects.Effect]:
        """The child's findings and ours.  An accusation needs two looks that agree."""
        with self.view.write() as tx:
            order = self.view.orders.get(tx, message.order)
            if order is None or order.state != "running" or order.cell != sender:
                return []
            mine = records.digests(self.view.servers.stamps(tx, sender))
            findings = list(message.findings) + [
                f"invariant 8: bucket {bucket:02x} differs between the view and the cell"
                for bucket in range(records.BUCKETS) if mine[bucket] != message.digests[bucket]]
            before = order.body.get("findings")
            if findings and before is None:
                self.view.orders.update(tx, order.id, "running", now, progress=50,
                                        body={**order.body, "findings": findings})
                return []
            agreed = [word for word in findings if before and word in before]
            self.view.orders.update(
                tx, order.id, "running", now, state="done", progress=100,
                result={"findings": agreed, "servers": message.servers,
                        "settled": message.settled})
        return []
