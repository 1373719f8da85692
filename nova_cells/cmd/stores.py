# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The view database, opened for an operator's command: it must be there, and be of this version.

Never creates a file, so that a mistyped state path is told and not obeyed; never unseals.
"""

import os

from nova_cells import conf as confs
from nova_cells.conf import database as database_options
from nova_cells.conf import standalone as options
from nova_cells.db import view
from nova_cells.domain import errors


def configure(files: list[str], state_path: str | None, prog: str):
    """The configuration of an operator's command.  A state path alone names a deployment that
    has no file."""
    if not files and not state_path:
        files = confs.found_files()
    wanted = {"DEFAULT": {"state_path": os.path.abspath(state_path)}} if state_path else {}
    return confs.new(files=files, overrides=wanted, prog=prog)


def open_view(conf) -> view.View:
    """``Invalid`` if there is no such database, ``Unusable`` if it does not answer."""
    url = options.view_url(conf)
    must_exist(url)
    opened = view.View(url, quota_defaults=dict(conf.quota.items()),
                       **database_options.pool_options(conf.view_database, url))
    opened.ping()
    return opened


def must_exist(url: str) -> None:
    """An SQLite file that is not there would be made, empty; everything else says so itself."""
    scheme, _, path = url.partition(":///")
    if scheme.startswith("sqlite") and path and not os.path.exists(path):
        raise errors.Invalid(f"there is no database {path}: start nova-cells-standalone once, or "
                             "name the deployment with --config-file or --state-path")
