# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Options of the processes of one child cell: which cell they belong to, and its bus.

The stand-alone process has its cells in [standalone] and [cell.<name>] instead.
"""

import uuid

from oslo_config import cfg

from nova_cells.domain import errors

CELL = [
    cfg.StrOpt("name", help="The name of the cell that this process belongs to."),
    cfg.StrOpt("uuid",
               help="The uuid of that cell, as 'nova-cells-manage db sync cell' or 'cell create' "
                    "printed it. A host needs it, for it reaches no database; a conductor that "
                    "has it refuses to work on the database of another cell."),
    cfg.StrOpt("transport_url", secret=True,
               help="The cell's own message bus: rabbit://user:password@host:5672/vhost, with a "
                    "vhost for each cell."),
]

OPTS = {"cell": CELL}


def check(conf: cfg.ConfigOpts) -> None:
    """``Invalid`` with a sentence unless name, uuid and bus are there and can be."""
    for name in ("name", "uuid", "transport_url"):
        if not conf.cell[name]:
            raise errors.Invalid(f"[cell] {name} is not set: a process of a child cell must know "
                                 "its cell; 'nova-cells-manage db sync cell' prints its uuid")
    try:
        uuid.UUID(conf.cell.uuid)
    except ValueError:
        raise errors.Invalid(f"[cell] uuid: {conf.cell.uuid!r} is not a uuid") from None
