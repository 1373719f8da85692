# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The tests of the databases' room, on MariaDB and on PostgreSQL.

Each class of ``tests/unit/db`` that opens a database is here twice, once for each kind; on SQLite
they run where they are written.
"""

import importlib
import pkgutil

from tests.servers import databases
from tests.unit import db
from tests.unit.db import base


def _modules():
    for info in pkgutil.walk_packages(db.__path__, db.__name__ + "."):
        if info.name.rpartition(".")[2].startswith("test_"):
            yield importlib.import_module(info.name)


def _copies():
    """name -> a class of tests, bound to one kind."""
    found = {}
    for module in _modules():
        short = module.__name__.removeprefix(db.__name__ + ".").replace(".", "_")
        for name, case in vars(module).items():
            mine = isinstance(case, type) and issubclass(case, base.DatabaseTestCase) \
                and case.__module__ == module.__name__
            for kind in databases.KINDS[1:] if mine else ():
                copy = f"{kind}_{short}_{name}"
                found[copy] = type(copy, (case,), {"kind": kind, "__module__": __name__,
                                                   "__qualname__": copy})
    return found


globals().update(_copies())
