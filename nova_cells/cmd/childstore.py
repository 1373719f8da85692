# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A child cell's database, opened for a service of that cell.

Never makes or changes a schema: with several processes that is an operator's word.
"""

from nova_cells.conf import cell as cell_options
from nova_cells.conf import database as database_options
from nova_cells.db import cell as cell_database
from nova_cells.db import migrations
from nova_cells.db.cell import identity as identities
from nova_cells.domain import errors
from nova_cells.rpc import transport


def open_store(conf) -> tuple[cell_database.CellStore, identities.Identity]:
    """The database and who the cell is.  A ``Problem`` with a sentence if it does not answer, has
    no schema of this version, or is another cell's."""
    url = conf.cell_database.connection
    store = cell_database.CellStore(url, **database_options.pool_options(conf.cell_database, url))
    try:
        store.ping()
        at, newest = migrations.current("cell", url)
        if at != newest:
            raise errors.Invalid(
                f"the database of the cell is at schema {at or 'none'}, not {newest}: run "
                "'nova-cells-manage db sync cell'")
        identity = store.known_identity()
        if identity is None:
            raise errors.Invalid("the database of the cell has no identity yet: run "
                                 "'nova-cells-manage db sync cell'")
        if identity.uuid != conf.cell.uuid:
            raise errors.Invalid(
                f"[cell_database] connection names the database of the cell {identity.uuid} "
                f"({identity.name}), but [cell] uuid is {conf.cell.uuid}: mend the one that is "
                "wrong")
    except BaseException:
        store.close()
        raise
    return store, identity


def check(conf) -> None:
    """Whether a service of this cell can work: options, database, bus."""
    cell_options.check(conf)
    if not conf.cell_database.connection:
        raise errors.Invalid("[cell_database] connection is not set: it names the database of the "
                             "cell, such as mysql+pymysql://user:password@host/cell1")
    store, _identity = open_store(conf)
    store.close()
    transport.open_transport(conf, conf.cell.transport_url).cleanup()
    transport.must_answer(conf, conf.cell.transport_url)
