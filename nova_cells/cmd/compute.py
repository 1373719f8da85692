# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""``nova-cells-compute``: the agent of one host.  Reaches no database."""

import typing

from nova_cells.cmd import daemon

PROGRAM = daemon.Program(
    name="nova-cells-compute",
    about="The agent of one host of a child cell: boots, stops and watches its guests.",
    running="nova_cells.cmd.running.compute")


def main(argv: list[str] | None = None) -> typing.NoReturn:
    """The command."""
    daemon.main(PROGRAM, argv)


if __name__ == "__main__":
    main()
