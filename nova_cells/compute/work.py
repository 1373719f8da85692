# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""One task under way on a host, as what carries it out sees it.

Each verb with more than one step, or that needs more than a uuid, is a function of a ``Work`` that
returns the facts of its report; ``verbs.WORKS`` has them.  Every one may be begun again from its
start at any time (``repeated``); a step that may not be taken twice asks ``first`` before it.
"""

import collections.abc
import dataclasses
import typing

from nova_cells.compute import flow, rooms
from nova_cells.domain import boot, errands, tasks
from nova_cells.domain import wanted as wants
from nova_cells.virt import protocol

Doing = collections.abc.Callable[["Work"], dict[str, str]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work:
    """A task, and what carrying it out may use."""

    task: tasks.Task
    driver: typing.Any                   # protocol.Driver and the capabilities that it says it has
    rooms: rooms.Rooms                   # images, ports, volumes
    host: str                            # this one, by its name in the cell
    attached: list[errands.Errand]       # to be filled: what this verb attached, as reported
    secrets: boot.Secrets                # of the boot, opened
    open: collections.abc.Callable[[boot.Sealed], boot.Secrets]     # opens what a verb has sealed
    repeated: bool                       # it was begun before, and its end is not known
    step: collections.abc.Callable[[str], None]      # told of each step; may raise Interrupted
    first: collections.abc.Callable[[str], bool]     # False: this step was begun before
    progress: collections.abc.Callable[[int], None]  # tells the cell that a later phase is reached
    tell: collections.abc.Callable[[int, dict[str, str]], None]     # the same, with facts

    @property
    def images(self) -> typing.Any:
        """Where images come from: an image.protocol.ImageRoom."""
        return self.rooms.images

    @property
    def uuid(self) -> str:
        """The server's."""
        return self.task.server

    @property
    def wanted(self) -> wants.Wanted:
        """What the verb wants beside its name."""
        return self.task.wanted

    def run(self, steps: flow.Flow, *args: object) -> None:
        """Take the steps of a flow; go back through them if one fails."""
        flow.run(steps, *args, repeated=self.repeated, before=self.step)

    def spec(self, secrets: boot.Secrets | None = None) -> protocol.GuestSpec:
        """What the driver needs to make or change the guest; with other secrets than the boot's,
        if there are any."""
        from nova_cells.compute import verbs
        return verbs.spec(self.task, self.secrets if secrets is None else secrets)
