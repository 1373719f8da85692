# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""``nova-cells-conductor``: the hub of one child cell.  Any number of them may run side by side."""

import typing

from nova_cells.cmd import daemon

PROGRAM = daemon.Program(
    name="nova-cells-conductor",
    about="The hub of one child cell: takes commands, places servers, gives tasks to hosts, "
          "sends records up.",
    running="nova_cells.cmd.running.conductor")


def main(argv: list[str] | None = None) -> typing.NoReturn:
    """The command."""
    daemon.main(PROGRAM, argv)


if __name__ == "__main__":
    main()
