# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""``nova-cells-manage cell ...``: the cells as the API cell knows them.

May run beside a live deployment: the view database is shared, and a running process reads the
table of cells again every few seconds.  Never shows a password of a transport URL.
"""

import sys
import time
import uuid

from cliff import command, lister, show

from nova_cells.cmd import failing, stores
from nova_cells.domain import errors
from nova_cells.rpc import transport

COLUMNS = ("name", "uuid", "enabled", "up", "servers", "heard", "sync", "transport_url")
NOT_TAKEN_UP = 10.0      # seconds after which an order that nobody took up is remarked on


class CellCommand(failing.OneSentence):
    """What all of these share: the view, and how a cell is shown."""

    named = True

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        if self.named:
            parser.add_argument("cell", help="name or uuid of the cell")
        return parser

    def take_action(self, parsed):
        self.view = stores.open_view(self.app.conf)
        try:
            return self.act(parsed)
        finally:
            self.view.close()

    def shown(self, tx, cell) -> tuple:
        """The columns of one cell."""
        servers = self.view.servers.live_in(tx, cell.uuid)
        heard = f"{max(0.0, time.time() - cell.heard_at):.0f} s ago" if cell.heard_at else "never"
        sync = cell.halted or ("resyncing" if cell.resyncing else "running")
        return (cell.name, cell.uuid, cell.enabled, cell.up, servers, heard, sync,
                transport.masked(cell.transport_url))

    def show(self, name_or_uuid: str):
        """One cell, for cliff's ShowOne."""
        with self.view.read() as tx:
            cell = self.view.cells.find(tx, name_or_uuid)
            values = self.shown(tx, cell)
        return ((*COLUMNS, "disabled_reason", "incarnation"),
                (*values, cell.disabled_reason or "", cell.incarnation or ""))


class Create(CellCommand, show.ShowOne):
    """Make a cell known to the API cell, which adopts it as soon as it can be reached."""

    named = False

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        parser.add_argument("name", help="what people call it; must be new")
        parser.add_argument("--transport-url", required=True, metavar="URL",
                            help="the cell's own message bus")
        parser.add_argument("--uuid", help="the cell's uuid, if its database has one already ('db "
                                           "sync cell' prints it there); default: a new one")
        return parser

    def act(self, parsed):
        own = parsed.uuid or str(uuid.uuid4())
        _check_uuid(own)
        check_name(parsed.name)
        check_url(parsed.transport_url)
        with self.view.write() as tx:
            self.view.cells.create(tx, own, parsed.name, parsed.transport_url, time.time())
        return self.show(own)


class List(CellCommand, lister.Lister):
    """The cells: who they are, whether they were heard, what stops them."""

    named = False

    def act(self, parsed):
        with self.view.read() as tx:
            return COLUMNS, [self.shown(tx, cell) for cell in self.view.cells.all(tx)]


class Show(CellCommand, show.ShowOne):
    """One cell."""

    def act(self, parsed):
        return self.show(parsed.cell)


class Update(CellCommand, show.ShowOne):
    """Give a cell another name or another bus."""

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        parser.add_argument("--name", help="the new name")
        parser.add_argument("--transport-url", metavar="URL", help="the new message bus")
        return parser

    def act(self, parsed):
        fields = {}
        if parsed.name is not None:
            check_name(parsed.name)
            fields["name"] = parsed.name
        if parsed.transport_url is not None:
            check_url(parsed.transport_url)
            fields["transport_url"] = parsed.transport_url
        if not fields:
            raise errors.Invalid("nothing to change: give --name or --transport-url")
        with self.view.write() as tx:
            cell = self.view.cells.find(tx, parsed.cell)
            self.view.cells.update(tx, cell.uuid, time.time(), **fields)
        return self.show(cell.uuid)


class Delete(CellCommand, command.Command):
    """Forget a cell that has no servers. Its own database is not touched."""

    def act(self, parsed):
        with self.view.write() as tx:
            cell = self.view.cells.find(tx, parsed.cell)
            self.view.cells.delete(tx, cell.uuid)


class Enable(CellCommand, show.ShowOne):
    """Let new servers go to a cell."""

    def act(self, parsed):
        with self.view.write() as tx:
            cell = self.view.cells.find(tx, parsed.cell)
            self.view.cells.set_enabled(tx, cell.uuid, True, None, time.time())
        return self.show(cell.uuid)


class Disable(CellCommand, show.ShowOne):
    """Send no new servers to a cell. Those that are there are served as before."""

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        parser.add_argument("--reason", help="why; other operators will read it")
        return parser

    def act(self, parsed):
        with self.view.write() as tx:
            cell = self.view.cells.find(tx, parsed.cell)
            self.view.cells.set_enabled(tx, cell.uuid, False, parsed.reason, time.time())
        return self.show(cell.uuid)


class Order(CellCommand, show.ShowOne):
    """Long work of a collector: written down, waited for, shown."""

    kind = ""

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        parser.add_argument("--timeout", type=float, default=600.0, metavar="SECONDS",
                            help="how long to wait for the end (default: 600); the work goes on "
                                 "afterwards")
        return parser

    def body(self, parsed) -> dict:
        """What the order says beside its kind."""
        return {}

    def act(self, parsed):
        own = str(uuid.uuid4())
        with self.view.write() as tx:
            cell = self.view.cells.find(tx, parsed.cell)
            self.view.orders.add(tx, own, self.kind, cell.uuid, self.body(parsed), time.time())
        row = self._wait(own, cell.name, parsed.timeout)
        if row.state == "failed":
            reason = (row.result or {}).get("error", "the log says why")
            raise errors.Conflict(f"{self.kind} of {cell.name} failed: {reason}")
        return self.told(cell, row)

    def told(self, cell, row):
        """The result, for cliff's ShowOne."""
        result = {"cell": cell.name, "state": row.state, **(row.result or {})}
        return tuple(result), tuple(result.values())

    def _wait(self, order: str, cell: str, seconds: float):
        begin, told, shown = time.monotonic(), False, -1
        while True:
            with self.view.read() as tx:
                row = self.view.orders.get(tx, order)
            if row.state in ("done", "failed"):
                return row
            waited = time.monotonic() - begin
            if row.state == "running" and row.progress != shown and sys.stderr.isatty():
                shown = row.progress
                sys.stderr.write(f"\r{self.kind} of {cell}: {shown} %")
            if row.state == "waiting" and waited > NOT_TAKEN_UP and not told:
                told = True
                sys.stderr.write("no collector has taken the order up yet: does "
                                 "nova-cells-standalone run?\n")
            if waited > seconds:
                raise errors.CellDown(
                    f"{self.kind} of {cell} is {row.state} ({row.progress} %) after {seconds:g} s; "
                    "it goes on when a collector and the cell answer")
            time.sleep(0.1)


class Resync(Order):
    """Compare every server of a cell with the view, and send up again what differs.

    After a cell's database was restored from a backup sync stops until an operator says that the
    child is the truth.
    """

    kind = "resync"

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        parser.add_argument("--truth", choices=["child"],
                            help="the child is right even where the view knows something newer")
        return parser

    def body(self, parsed) -> dict:
        return {"truth": parsed.truth} if parsed.truth else {}


class Verify(Order):
    """Check the invariants of a cell and its view. Exit code 1 if any is broken."""

    kind = "verify"

    def run(self, parsed_args) -> int:
        self.broken = False
        return super().run(parsed_args) or int(self.broken)

    def told(self, cell, row):
        findings = (row.result or {}).get("findings", [])
        self.broken = bool(findings)
        values = {"cell": cell.name, "servers": (row.result or {}).get("servers", 0),
                  "broken": len(findings), "findings": findings}
        return tuple(values), tuple(values.values())


def check_name(name: str) -> None:
    """A name that can be typed."""
    if not name.strip() or len(name) > 255 or not name.isprintable():
        raise errors.Invalid(f"{name!r} is not a usable name")


def check_url(url: str) -> None:
    """Something with a scheme that we know."""
    if url.partition("://")[0] not in ("rabbit", "local", "kombu", "kafka") or "://" not in url:
        raise errors.Invalid(f"{transport.masked(url)} is not a transport URL: write it as "
                             "rabbit://user:password@host:5672/vhost")


def _check_uuid(text: str) -> None:
    try:
        uuid.UUID(text)
    except ValueError:
        raise errors.Invalid(f"{text!r} is not a uuid") from None
