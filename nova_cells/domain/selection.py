"""What a conductor asks of a scheduler of its cell, and what it hears: proposals, best first.

A proposal says at which version of the host and at which generation of its provider it was made;
who commits it compares both, so a scheduler may be behind, and several may disagree.  A scheduler
proposes; it never claims, and never refuses: with nothing to propose it says so, and the conductor
looks for itself.
"""

from nova_cells.domain import commands
from nova_cells.domain import server as model


class Proposal(model.Value, kw_only=True):
    """A host for a server."""

    host: str                    # its name within the cell
    provider: str                # uuid of the host, and of its provider
    version: int                 # of the host's record
    generation: int              # of the provider


class Wanted(model.Value, kw_only=True):
    """What one server needs of a host."""

    server: str
    amounts: dict[str, int]
    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    zone: str | None = None
    forced: str | None = None
    avoid: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()


class Select(commands.Message, kw_only=True):
    """Propose hosts for each of these servers."""

    wanted: tuple[Wanted, ...]
    count: int = 3               # how many, with the alternates
    again: tuple[str, ...] = ()  # uuids of hosts where somebody was faster: look again


class Selected(commands.Message, kw_only=True):
    """For each server that was asked about: proposals, best first; or none and why."""

    proposals: tuple[tuple[Proposal, ...], ...]
    reason: str = ""
