# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The tags of a server: how many, on which servers, and what a change makes of them.

The top asks first, so that the answer is quick; the cell asks again, for it decides.  Tags are
kept in the order of their letters, each once.  Source: the public api-ref, "Server tags".
"""

import collections.abc

from nova_cells.domain import errors, lifecycle
from nova_cells.domain.server import Server

MOST = 50
LONGEST = 60                             # characters
STATES = frozenset({"active", "paused", "suspended", "stopped"})


def kept(given: collections.abc.Iterable[str]) -> tuple[str, ...]:
    """Tags as a record has them."""
    return tuple(sorted(set(given)))


def check(server: Server, doing: str) -> None:
    """Raise ``Conflict`` unless tags of a server in its state may change."""
    state = lifecycle.vm_state(server)
    if state not in STATES:
        raise errors.Conflict(f"Cannot '{doing}' instance {server.uuid} while it is in vm_state "
                              f"{state}")


def changed(server: Server, now: float, *, add: collections.abc.Iterable[str] = (),
            remove: collections.abc.Iterable[str] = (), whole: bool = False) -> Server:
    """The server with other tags; the same value if nothing changes.  ``whole``: none but those
    that are added."""
    before = set() if whole else set(server.tags)
    after = before | set(add)
    for tag in remove:
        if tag not in after:
            raise errors.NotFound(f"Server {server.uuid} has no tag '{tag}'")
        after.discard(tag)
    if len(after) > MOST:
        raise errors.Invalid(f"The number of tags exceeded the per-server limit {MOST}")
    tags = kept(after)
    return server if tags == server.tags else lifecycle.change(server, now, tags=tags)
