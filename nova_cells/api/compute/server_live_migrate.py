# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""os-migrateLive: a running server goes to another host of its cell.

The host is chosen by the cell, or named by an admin.  What is asked is checked at once; what cannot
be found (no host has room) is a 400 up to 2.33 and an action that failed from 2.34 on.
``block_migration`` and ``disk_over_commit`` say how disks go over, which a driver knows by itself.
Source: the public api-ref, "Live-Migrate Server (os-migrateLive Action)".
"""

import typing

from nova_cells.api import acting, found, policy, shapes
from nova_cells.api.shapes import Shape, optional
from nova_cells.domain import errors, lifecycle
from nova_cells.domain import wanted as wants

KEY = "os-migrateLive"
RULE, NAMED = "os-migrate-server:migrate_live", "os-migrate-server:migrate_live:host"
ASYNC = 34                               # from here on nobody waits for a host to be chosen

RULES = (
    acting.rule(RULE, policy.MANAGER_OR_ADMIN,
                "Live migrate a server without naming a host."),
    acting.rule(NAMED, policy.ADMIN, "Live migrate a server to a named host."),
)


def migrate_live(request: typing.Any) -> None:
    """Checked in the order in which Nova does: who may, what was said, lock, state, host."""
    given = request.body[KEY]
    host = given["host"] or None
    row = acting.allowed(request, NAMED if host else RULE, lock=False)
    forced = force(given, host)
    found.unlocked(request, row)
    lifecycle.begin(found.unpack(row.record), "live_migrate", 0.0)       # says why not
    if host and not known(request, host):
        raise errors.Invalid(f"Compute host {host} could not be found.")
    options = {"block_migration": str(given["block_migration"]).lower()}
    if forced or (host and request.version < 30):
        options["forced"] = "1"
    if request.version >= ASYNC:
        options["async"] = "1"
    acting.act(request, row, "live_migrate", wanted=wants.Wanted(host=host, options=options))


def force(given: dict[str, typing.Any], host: str | None) -> bool:
    """Whether the filters do not count; only of a host that is named."""
    forced = shapes.truth(given.get("force", False))
    if forced and not host:
        raise errors.Invalid("Can't force to a non-provided destination")
    return forced


def known(request: typing.Any, name: str) -> bool:
    """Whether any cell has a host of this name."""
    with request.services.view.read() as tx:
        return any(name == host.name
                   for _number, _cell, host in request.services.view.records.hosts(tx))


HOST = {"type": "string", "pattern": "^[a-zA-Z0-9-._]*$", "minLength": 1, "maxLength": 255}
_auto = {**shapes.boolean, "enum": [*shapes.boolean["enum"], "auto"]}
_body = Shape({KEY: Shape(
    block_migration=shapes.boolean, disk_over_commit=shapes.boolean, host=shapes.nullable(HOST),
).since("2.25", block_migration=_auto, disk_over_commit=shapes.REMOVED,
).since("2.30", force=optional(shapes.boolean),
).since("2.68", force=shapes.REMOVED)})

ACTIONS = (acting.action(KEY, migrate_live, _body),)
