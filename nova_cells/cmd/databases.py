# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""``nova-cells-manage db sync``: brings databases to the newest schema."""

import uuid

from cliff import lister

from nova_cells.cmd import failing
from nova_cells.conf import standalone as options
from nova_cells.db import cell, migrations
from nova_cells.domain import errors


class Sync(failing.OneSentence, lister.Lister):
    """Bring the view and/or the cells of this configuration to the newest schema.

    May be repeated. A cell's database is given its identity if it has none.
    """

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        parser.add_argument("which", nargs="?", choices=["view", "cell"],
                            help="only the API cell's, or only the child cells'; default: both")
        parser.add_argument("--name", help="only the child cell of this name")
        parser.add_argument("--uuid", help="the uuid of a new child cell, as 'cell create' printed "
                                           "it; default: a new one")
        return parser

    def take_action(self, parsed):
        conf = self.app.conf
        plans = [plan for plan in _plans(conf) if parsed.name in (None, plan.name)]
        if not plans:
            raise errors.Invalid(f"no cell {parsed.name!r} in the configuration")
        wanted = parsed.uuid or conf.cell.uuid
        if wanted:
            plans = plans if len(plans) == 1 else _one_only()
            _check_uuid(wanted)
        rows = []
        if parsed.which in (None, "view") and not parsed.name:
            url = options.view_url(conf)
            migrations.upgrade("view", url)
            rows.append(("view", "", "", "newest"))
        if parsed.which in (None, "cell"):
            rows += [self._cell(plan, wanted) for plan in plans]
        return ("database", "cell", "uuid", "schema"), rows

    def _cell(self, plan: options.CellPlan, wanted: str | None) -> tuple[str, str, str, str]:
        migrations.upgrade("cell", plan.connection)
        store = cell.CellStore(plan.connection)
        identity = store.identity(plan.name, lambda: wanted or str(uuid.uuid4()))
        store.close()
        if wanted and identity.uuid != wanted:
            raise errors.Conflict(f"the cell {plan.name} has the uuid {identity.uuid} already: "
                                  "register it with that one")
        return ("cell", plan.name, identity.uuid, "newest")


def _plans(conf) -> tuple[options.CellPlan, ...]:
    """The cells of this configuration: that of [cell], or those of the stand-alone process."""
    if not conf.cell.name:
        return options.plan(conf)
    return (options.CellPlan(
        name=conf.cell.name, hosts=(),
        connection=conf.cell_database.connection
        or options.sqlite_url(conf, f"cell-{conf.cell.name}.sqlite")),)


def _one_only():
    raise errors.Invalid("--uuid is for one cell: say which with --name")


def _check_uuid(text: str) -> None:
    try:
        uuid.UUID(text)
    except ValueError:
        raise errors.Invalid(f"{text!r} is not a uuid") from None
