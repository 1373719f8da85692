# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Options of the databases: the API cell's view, and the truth of a child cell."""

from oslo_config import cfg


def _options(what: str, default: str) -> list[cfg.Opt]:
    return [
        cfg.StrOpt("connection", secret=True,
                   help=f"SQLAlchemy URL of {what}. Default: {default} below state_path."),
        cfg.IntOpt("max_pool_size", default=10, min=1,
                   help="Connections kept open (not for SQLite)."),
        cfg.IntOpt("max_overflow", default=40, min=0,
                   help="Connections opened beyond these when there is much to do (not for "
                        "SQLite)."),
        cfg.IntOpt("pool_timeout", default=30, min=1,
                   help="Seconds to wait for a free connection (not for SQLite)."),
        cfg.IntOpt("connect_timeout", default=10, min=1,
                   help="Seconds to wait for the server to take a connection (not for SQLite)."),
        cfg.IntOpt("statement_timeout", default=30, min=3,
                   help="Seconds that one statement may take; a third of it is spent waiting for a "
                        "lock at most. The server ends it then, and a server that does not answer "
                        "at all is given up five seconds later (not for SQLite)."),
        cfg.IntOpt("mysql_wsrep_sync_wait", min=0, max=15,
                   help="For Galera: what a session waits for before it reads (the server's "
                        "variable wsrep_sync_wait). 1 where readers reach other nodes than "
                        "writers; unset: not said."),
    ]


OPTS = {
    "view_database": _options("the API cell's database", "the SQLite file view.sqlite"),
    "cell_database": _options("the child cell's database", "the SQLite file cell-<name>.sqlite"),
}


def pool_options(group: cfg.ConfigOpts.GroupAttr, url: str) -> dict[str, int]:
    """What is handed to the database's room beside the URL."""
    if url.startswith("sqlite"):
        return {}
    names = ["max_pool_size", "max_overflow", "pool_timeout", "connect_timeout",
             "statement_timeout"]
    if group.mysql_wsrep_sync_wait is not None:
        names.append("mysql_wsrep_sync_wait")
    return {name: group[name] for name in names}
