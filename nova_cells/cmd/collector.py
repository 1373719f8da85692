# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""``nova-cells-collector``: takes up what the cells say.  Any number may run side by side."""

import typing

from nova_cells.cmd import daemon

PROGRAM = daemon.Program(
    name="nova-cells-collector",
    about="The API cell's ear: applies the records of all cells to the view, confirms offers, "
          "sends again what was not answered.",
    running="nova_cells.cmd.running.collector")


def main(argv: list[str] | None = None) -> typing.NoReturn:
    """The command."""
    daemon.main(PROGRAM, argv)


if __name__ == "__main__":
    main()
