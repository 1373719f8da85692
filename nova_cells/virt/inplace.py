# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a driver promises that can do more with a guest where it is: rebuild, rescue, speak into it.

Capabilities: a driver that has one names it, as in ``protocol``.  Every call may be repeated; it
blocks until it is true, or raises what ``protocol`` names.
"""

import typing

from nova_cells.virt import protocol

#: Capabilities that are no verbs: what a host can do within one.
PRESERVE_EPHEMERAL = "preserve_ephemeral"    # rebuild and keep the ephemeral disk
TRUSTED_CERTS = "trusted_certs"              # boot only what these certificates vouch for
EXTRAS = frozenset({PRESERVE_EPHEMERAL, TRUSTED_CERTS})


class Rebuilding(typing.Protocol):
    """``rebuild``: a guest is made anew in the place of another, which is kept until it runs."""

    def set_aside(self, uuid: str, ephemeral: bool, ticket: int) -> None:
        """The guest's disk and config drive, out of the way of new ones; with ``ephemeral`` the
        ephemeral disk stays where it is.  The guest must be off.  If what is aside already is what
        this ticket's guest replaces, or what a guest that was never defined should have replaced,
        it stays, and what was made since is thrown away."""

    def bring_back(self, uuid: str) -> None:
        """Way back of ``set_aside``: what was made since is thrown away.  Nothing aside: nothing
        is changed."""

    def drop_aside(self, uuid: str) -> None:
        """What was set aside is not needed any more."""


class Rescuing(typing.Protocol):
    """``rescue``: a guest runs from another image, its own disk beside it."""

    def rescue(self, spec: protocol.GuestSpec) -> None:
        """The next start is from ``spec.server.image``.  The guest must be off, the image
        fetched."""

    def unrescue(self, uuid: str) -> None:
        """Way back of ``rescue``: the next start is from the guest's own disk."""


class Speaking(typing.Protocol):
    """``change_password`` and ``crash_dump``: what happens inside a guest that runs."""

    def set_password(self, uuid: str, password: str) -> None:
        """The administrator's password inside; ``Conflict`` unless it runs.  Never logs it."""

    def crash_dump(self, uuid: str) -> None:
        """Have its kernel write a dump, if it is set up to; ``Conflict`` if it is off."""
