# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A migration: one move of a server from a host to another, or to another size on the same.

A record like any other: its cell owns it and sends it up whole (kind "migration"); the view keeps
the newest and mints the integer id that old clients name it by (law T16).  One transaction at a
time writes it: that of the verb which moves the server.

While it is ``open`` the server may have something on both hosts, and holds resources of both: the
role "here" is what it holds where it came from, the role "move" what it holds where it goes (law
T8).  Whoever closes it leaves exactly one of the two, as role "here", in the same transaction.
Statuses and kinds are those of the public api-ref, "List migrations".
"""

from nova_cells.domain import server as model

RESIZE, COLD, LIVE, EVACUATION = "resize", "migration", "live-migration", "evacuation"

#: Live migrations that may be shown below their server, aborted, forced to complete.
IN_PROGRESS = ("queued", "preparing", "running", "post-migrating")

#: What a user may say of a live migration under way.
ABORT, FORCE = "abort", "force_complete"
#: What is told of the copy, in bytes.
FIGURES = ("memory_total", "memory_processed", "memory_remaining", "disk_total",
           "disk_processed", "disk_remaining")

#: The roles of a server's allocations.
HERE, MOVE = "here", "move"


class Migration(model.Value, kw_only=True):
    """One move.  ``version`` grows by one with every change."""

    uuid: str
    server: str
    version: int = 1
    epoch: int = 0                       # the server's, when it began
    kind: str                            # RESIZE, COLD, LIVE or EVACUATION
    status: str = "pre-migrating"
    open: bool = True
    user_id: str = ""                    # who asked
    project_id: str = ""
    source: str = ""                     # names of hosts within the cell
    source_node: str = ""
    dest: str = ""                       # "": none was found
    dest_node: str = ""
    dest_address: str | None = None
    old_flavor: model.Flavor
    new_flavor: model.Flavor             # equal to the old one unless it is a RESIZE
    rest: str = "active"                 # where the server was, and will be in the end
    created_at: float
    updated_at: float | None = None
    memory_total: int | None = None      # bytes, while a live migration copies
    memory_processed: int | None = None
    memory_remaining: int | None = None
    disk_total: int | None = None
    disk_processed: int | None = None
    disk_remaining: int | None = None

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts that may have something of the server."""
        return frozenset({self.source, self.dest} - {""})


def other(migration: Migration, host: str | None) -> str | None:
    """The host of the move that is not this one; None if there is no such."""
    rest = sorted(migration.hosts - {host})
    return rest[0] if rest else None
