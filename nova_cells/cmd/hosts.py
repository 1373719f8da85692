# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""``nova-cells-manage host``: the hosts of all cells, from the view; changes are orders.

A collector takes an order to the host's cell.  A cell that is down is not asked; an order that
is not carried out in time is taken back.  Hosts appear by their first heartbeat: there is nothing
to create.
"""

import time
import uuid

from cliff import command, lister, show

from nova_cells.cmd import cells
from nova_cells.domain import errors

COLUMNS = ("cell", "name", "state", "status", "disabled_reason", "zone", "servers", "uuid")
PATIENCE = 30.0          # seconds for a cell to carry an order out


class HostCommand(cells.CellCommand):
    """What all of these share: a host is named by its cell and its own name (law T16)."""

    named = False
    of_one = True

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        if self.of_one:
            parser.add_argument("cell", help="name or uuid of the cell")
            parser.add_argument("host", help="name or uuid of the host")
        return parser

    def find(self, parsed):
        """(cell, record) of the host that was named."""
        with self.view.read() as tx:
            cell = self.view.cells.find(tx, parsed.cell)
            known = [record for _id, own, record in self.view.records.hosts(tx)
                     if own == cell.uuid]
        for record in known:
            if parsed.host in (record.name, record.uuid):
                return cell, record
        names = ", ".join(sorted(record.name for record in known)) or "none"
        raise errors.NotFound(f"the cell {cell.name} has no host {parsed.host!r}; known hosts: "
                              f"{names}")

    def shown(self, cell, record, servers: dict) -> tuple:
        """The columns of one host."""
        state = ("forced down" if record.forced_down else "unknown: the cell is down"
                 if not cell.up else "up" if record.up else "down")
        return (cell.name, record.name, state, "disabled" if record.disabled else "enabled",
                record.disabled_reason or "", record.availability_zone,
                servers.get((cell.uuid, record.name), 0), record.uuid)

    def show(self, parsed):
        """One host, for cliff's ShowOne."""
        cell, record = self.find(parsed)
        with self.view.read() as tx:
            values = self.shown(cell, record, self.view.servers.live_by_host(tx))
        return ((*COLUMNS, "hypervisor", "capabilities", "totals"),
                (*values, f"{record.hypervisor_type} {record.hypervisor_version}",
                 list(record.capabilities), dict(record.totals)))


class List(HostCommand, lister.Lister):
    """The hosts of all cells, or of one."""

    of_one = False

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        parser.add_argument("cell", nargs="?", help="name or uuid of the cell; default: all")
        return parser

    def act(self, parsed):
        with self.view.read() as tx:
            known = {cell.uuid: cell for cell in self.view.cells.all(tx)}
            if parsed.cell:
                cell = self.view.cells.find(tx, parsed.cell)
                known = {cell.uuid: cell}
            servers = self.view.servers.live_by_host(tx)
            rows = [self.shown(known[own], record, servers)
                    for _id, own, record in self.view.records.hosts(tx) if own in known]
        return COLUMNS, sorted(rows)


class Show(HostCommand, show.ShowOne):
    """One host."""

    def act(self, parsed):
        return self.show(parsed)


class Order(HostCommand):
    """A change: written down, taken to the cell by a collector, waited for."""

    kind = "set host"

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        parser.add_argument("--timeout", type=float, default=PATIENCE, metavar="SECONDS",
                            help=f"how long the cell gets (default: {PATIENCE:g})")
        return parser

    def order(self, parsed, **fields) -> None:
        """Have it done.  ``CellDown`` if the cell is down, or does not answer in time."""
        cell, record = self.find(parsed)
        if cell.halted or not cell.up:
            raise errors.CellDown(f"the cell {cell.name} is down, and its hosts are its own to "
                                  f"change; nothing was done")
        own = str(uuid.uuid4())
        with self.view.write() as tx:
            self.view.orders.add(tx, own, self.kind, cell.uuid,
                                 {"host": record.name, "uuid": record.uuid, **fields},
                                 time.time())
        row = self._wait(own, parsed.timeout)
        if row.state == "failed":
            raise errors.Conflict((row.result or {}).get("error", "the log says why"))

    def _wait(self, order: str, seconds: float):
        until = time.monotonic() + seconds
        while True:
            with self.view.read() as tx:
                row = self.view.orders.get(tx, order)
            if row.state in ("done", "failed"):
                return row
            if time.monotonic() > until:
                self._take_back(row, seconds)
            time.sleep(0.1)

    def _take_back(self, row, seconds: float) -> None:
        """An order that is carried out long after nobody waits for it surprises everybody."""
        with self.view.write() as tx:
            taken = self.view.orders.update(tx, row.id, row.state, time.time(), state="failed",
                                            result={"error": "taken back: nobody waited"})
        if not taken:
            return                       # it just ended, or was just begun: look again
        if row.state == "waiting":
            raise errors.CellDown(f"no collector has taken the order up within {seconds:g} s: does "
                                  f"nova-cells-collector run? Nothing was done")
        raise errors.CellDown(f"the cell has not answered within {seconds:g} s; the change may or "
                              f"may not have been made: look with 'host show'")


class Enable(Order, show.ShowOne):
    """Let new servers go to a host."""

    def act(self, parsed):
        self.order(parsed, disabled=False)
        return self.show(parsed)


class Disable(Order, show.ShowOne):
    """Send no new servers to a host. Those that are there are served as before."""

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        parser.add_argument("--reason", help="why; other operators will read it")
        return parser

    def act(self, parsed):
        self.order(parsed, disabled=True, reason=parsed.reason)
        return self.show(parsed)


class Forget(Order, command.Command):
    """A host is gone for good: its record and its resources go. Refused while it is up or has
    servers."""

    kind = "forget host"

    def act(self, parsed):
        self.order(parsed)
