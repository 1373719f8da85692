# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a driver promises that moves guests between hosts with their power off ("resize").

A guest that moves is *parked* where it comes from: the hypervisor has forgotten it, and its disk is
kept aside until the move is confirmed, or taken back.  ``move`` is the uuid of the migration; what
another move left is never mistaken for this one's.  Repeating a call changes nothing, as
everywhere in ``protocol``; source and destination may be one host.
"""

import typing

from nova_cells.virt import protocol


class Moving(typing.Protocol):
    """The capability "resize"."""

    def make_room(self, spec: protocol.GuestSpec) -> None:
        """Raise ``HostTrouble`` unless such a guest fits here beside all others.  Changes
        nothing."""

    def parked(self, uuid: str, move: str) -> bool:
        """Whether the guest is parked here for this move."""

    def send_disk(self, uuid: str, move: str) -> None:
        """Hand a copy of the disk of a guest that is off, or parked, to whoever takes it."""

    def unsend_disk(self, uuid: str, move: str) -> None:
        """Way back of ``send_disk``; also when it was taken and nobody needs the copy any more.
        Any host of the cell may call it."""

    def park(self, uuid: str, move: str) -> None:
        """Forget a guest that is off, and keep its disk aside."""

    def unpark(self, uuid: str, move: str) -> None:
        """Way back of ``park``: the guest as it was, off.  ``NotFound`` if there is neither."""

    def drop_parked(self, uuid: str) -> None:
        """What is kept aside is not needed any more; a guest of that uuid stays."""

    def receive_disk(self, spec: protocol.GuestSpec, move: str) -> None:
        """The disk that was sent, as large as the flavor says.  ``remove_disk`` is its way back.
        ``HostTrouble`` if it does not fit or nothing was sent."""
