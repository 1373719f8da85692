# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""``nova-cells-status upgrade check``: whether a deployment is ready to be upgraded.

Reads databases, changes nothing. Exit code 0: go; 1: look at the warnings; 2: not yet.
"""

import argparse
import contextlib
import os
import sys
import time

from oslo_config import cfg
from oslo_upgradecheck import upgradecheck

from nova_cells import service
from nova_cells.cmd import stores
from nova_cells.conf import standalone as options
from nova_cells.db import migrations
from nova_cells.domain import errors

PROGRAM = "nova-cells-status"
HEARD_WITHIN = 60.0      # seconds

Result = upgradecheck.Result
Code = upgradecheck.Code


class Checks(upgradecheck.UpgradeCommands):
    """What must be true before new code runs."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf

    def schemas(self) -> Result:
        """Every database is at the newest schema of the code that runs this."""
        behind = []
        for history, name, url in self._databases():
            try:
                stores.must_exist(url)
                at, newest = migrations.current(history, url)
            except errors.Problem as problem:
                return Result(Code.FAILURE, str(problem))
            if at != newest:
                behind.append(f"{name} is at {at or 'no revision'}, not {newest}")
        if behind:
            return Result(Code.FAILURE, "; ".join(behind) + ": run 'nova-cells-manage db sync'")
        return Result(Code.SUCCESS)

    def heard(self) -> Result:
        """Every enabled cell was heard lately: an upgrade begins with nobody missing."""
        now = time.time()
        silent = [cell.name for cell in self._cells()
                  if cell.enabled and (not cell.up or now - cell.heard_at > HEARD_WITHIN)]
        if silent:
            return Result(Code.WARNING, f"not heard within {HEARD_WITHIN:g} s: {', '.join(silent)};"
                                        " what they hold cannot be checked")
        return Result(Code.SUCCESS)

    def sync(self) -> Result:
        """Sync has stopped nowhere, and no resync is half done."""
        halted = [f"{cell.name}: {cell.halted}" for cell in self._cells() if cell.halted]
        if halted:
            return Result(Code.FAILURE, "sync has stopped: " + "; ".join(halted))
        busy = [cell.name for cell in self._cells() if cell.resyncing]
        if busy:
            return Result(Code.WARNING, f"a resync is under way: {', '.join(busy)}; wait for it")
        return Result(Code.SUCCESS)

    def _guarded(self, check) -> Result:
        try:
            return check(self)
        except errors.Problem as problem:
            return Result(Code.FAILURE, str(problem))
        except Exception as error:
            return Result(Code.FAILURE, f"{type(error).__name__}: "
                                        f"{str(error).strip().splitlines()[0]}")

    def _databases(self) -> list[tuple[str, str, str]]:
        return [("view", "the view", options.view_url(self._conf)), *(
            ("cell", f"the cell {plan.name}", plan.connection)
            for plan in options.plan(self._conf))]

    def _cells(self) -> list:
        view = stores.open_view(self._conf)
        with contextlib.closing(view), view.read() as tx:
            return view.cells.all(tx)

    _upgrade_checks = (
        ("Schemas", (_guarded, {"check": schemas})),
        ("Cells heard", (_guarded, {"check": heard})),
        ("Sync", (_guarded, {"check": sync})),
    )


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog=PROGRAM, allow_abbrev=False, usage="%(prog)s [options] upgrade check [--json]",
        description="Whether a deployment is ready to be upgraded. Exit code 0: yes; 1: look at "
                    "the warnings first; 2: no.")
    parser.add_argument("--config-file", action="append", default=[], dest="files",
                        metavar="PATH", help="read this file (may be repeated)")
    parser.add_argument("--state-path", metavar="DIR",
                        help="where the deployment keeps its state, if no file says so")
    known, rest = parser.parse_known_args(argv)
    try:
        service.choose_backend(argv, os.environ)
        conf = stores.configure(known.files, known.state_path, PROGRAM)
        if not known.files and not conf.config_file:
            _find_cells(conf)
        # The library wants to parse the command line itself, so it gets a configuration for that.
        return int(upgradecheck.main(cfg.ConfigOpts(), "nova-cells", Checks(conf), rest, []))
    except errors.Problem as problem:
        service.complain(PROGRAM, problem, 2 if isinstance(problem, errors.Invalid) else 1)


def _find_cells(conf: cfg.ConfigOpts) -> None:
    """A deployment without a file has the cells whose databases lie in its state path."""
    with contextlib.suppress(OSError):
        names = sorted(name[len("cell-"):-len(".sqlite")] for name in os.listdir(conf.state_path)
                       if name.startswith("cell-") and name.endswith(".sqlite"))
        if names:
            conf.set_override("cells", names, group="standalone")


if __name__ == "__main__":
    sys.exit(main())
