# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""``nova-cells-scheduler``: proposes hosts to the conductors of one child cell.

Any number of them may run side by side, or none: with [conductor] scheduler = service a conductor
asks them, and chooses itself while none answers.
"""

import typing

from nova_cells.cmd import daemon

PROGRAM = daemon.Program(
    name="nova-cells-scheduler",
    about="A scheduler of one child cell: keeps its hosts in memory and proposes some for each "
          "new server; the conductor commits.",
    running="nova_cells.cmd.running.scheduler")


def main(argv: list[str] | None = None) -> typing.NoReturn:
    """The command."""
    daemon.main(PROGRAM, argv)


if __name__ == "__main__":
    main()
