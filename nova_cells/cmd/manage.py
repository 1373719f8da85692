# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""``nova-cells-manage``: an operator's commands on a deployment, running or not.

Every command works on the view database; what must be done by a child is an order there, which
the collector takes up within a second.  Errors are one sentence on stderr; exit code 2 for what
was asked wrongly, 1 for what could not be done.
"""

import logging
import os
import sys

from cliff import app, commandmanager

from nova_cells import service
from nova_cells.cmd import cells, databases, hosts, stores
from nova_cells.domain import errors

PROGRAM = "nova-cells-manage"

COMMANDS = {
    "db sync": databases.Sync,
    "cell create": cells.Create,
    "cell list": cells.List,
    "cell show": cells.Show,
    "cell update": cells.Update,
    "cell delete": cells.Delete,
    "cell enable": cells.Enable,
    "cell disable": cells.Disable,
    "cell resync": cells.Resync,
    "cell verify": cells.Verify,
    "host list": hosts.List,
    "host show": hosts.Show,
    "host enable": hosts.Enable,
    "host disable": hosts.Disable,
    "host forget": hosts.Forget,
}


class Manage(app.App):
    """The program: its options, and the configuration and view that commands work with."""

    NAME = PROGRAM
    CONSOLE_MESSAGE_FORMAT = PROGRAM + ": %(message)s"

    def __init__(self) -> None:
        manager = commandmanager.CommandManager("nova_cells.manage")
        for name, command in COMMANDS.items():
            manager.add_command(name, command)
        super().__init__(description="Operate the cells of a deployment.", version=_version(),
                         command_manager=manager, deferred_help=True)
        self.conf = None

    def initialize_app(self, argv: list[str]) -> None:
        if self.options.verbose_level < 2:
            logging.getLogger("alembic").setLevel(logging.WARNING)

    def build_option_parser(self, description, version, argparse_kwargs=None):
        parser = super().build_option_parser(description, version, argparse_kwargs)
        parser.add_argument("--config-file", action="append", default=[], metavar="PATH",
                            dest="config_files", help="read this file (may be repeated)")
        parser.add_argument("--state-path", metavar="DIR",
                            help="where the deployment keeps its state, if no file says so")
        return parser

    def prepare_to_run_command(self, cmd) -> None:
        if self.conf is None and isinstance(cmd, databases.Sync | cells.CellCommand):
            self.conf = stores.configure(self.options.config_files, self.options.state_path,
                                         PROGRAM)

    def interact(self) -> int:
        """No command was given; there is no interactive shell."""
        self.run_subcommand(["help"])
        return 2


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        service.choose_backend([], os.environ)
        return Manage().run(argv)
    except errors.Problem as problem:
        service.complain(PROGRAM, problem, 2 if isinstance(problem, errors.Invalid) else 1)


def _version() -> str:
    import importlib.metadata

    return importlib.metadata.version("nova-cells")


if __name__ == "__main__":
    sys.exit(main())
