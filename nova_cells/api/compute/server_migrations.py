# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Live migrations of one server that are in progress: seen, aborted, forced to complete.

Seen as the view knows them; the cell decides whether one can still be aborted.  Source: the public
api-ref, "Server migrations".
"""

import typing

from nova_cells.api import fleet, found, policy
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Query, Shape, nothing
from nova_cells.domain import errors, migration

LIST, ONE = "/servers/{id}/migrations", "/servers/{id}/migrations/{migration_id}"
INDEX = "os_compute_api:servers:migrations:index"
HOSTS = "os_compute_api:servers:migrations:index:host"
SHOW, DELETE = "os_compute_api:servers:migrations:show", "os_compute_api:servers:migrations:delete"
COMPLETE = "os_compute_api:servers:migrations:force_complete"
FIGURES = ("disk_processed", "disk_remaining", "disk_total", "memory_processed",
           "memory_remaining", "memory_total")

RULES = (
    policy.rule(INDEX, policy.MANAGER_OR_ADMIN,
                "List the live migrations of a server that are in progress.", f"GET {LIST}"),
    policy.rule(HOSTS, policy.ADMIN,
                "See the hosts of the live migrations that are listed.", f"GET {LIST}"),
    policy.rule(SHOW, policy.ADMIN,
                "Show a live migration of a server that is in progress.", f"GET {ONE}"),
    policy.rule(DELETE, policy.MANAGER_OR_ADMIN, "Abort a live migration.",
                f"DELETE {ONE}"),
    policy.rule(COMPLETE, policy.MANAGER_OR_ADMIN,
                "Force a live migration to complete.", f"POST {ONE}/action"),
)


def _document(request: typing.Any, row: typing.Any, hosts: bool) -> dict[str, typing.Any]:
    one = row.record
    document = {
        "id": row.id, "server_uuid": one.server, "status": one.status,
        "created_at": fleet.moment(one.created_at),
        "updated_at": fleet.moment(one.updated_at or one.created_at),
        "source_compute": one.source if hosts else None,
        "source_node": one.source_node if hosts else None,
        "dest_compute": (one.dest or None) if hosts else None,
        "dest_node": (one.dest_node or None) if hosts else None,
        "dest_host": one.dest_address if hosts else None,
        **{f"{name}_bytes": getattr(one, name) for name in FIGURES}}
    if request.version >= 59:
        document["uuid"] = one.uuid
    if request.version >= 80:
        document |= {"user_id": one.user_id, "project_id": one.project_id}
    return document


def index(request: typing.Any) -> dict[str, typing.Any]:
    """Those in progress."""
    server = found.find(request, INDEX)
    hosts = request.allows(HOSTS, found.target(server))
    with request.services.view.read() as tx:
        rows = request.services.view.migrations.of_server(tx, server.uuid)
    return {"migrations": [_document(request, row, hosts) for row in rows
                           if row.record.kind == migration.LIVE
                           and row.record.status in migration.IN_PROGRESS]}


def show(request: typing.Any) -> dict[str, typing.Any]:
    """One in progress."""
    server = found.find(request, SHOW)
    row, number = _row(request, server.uuid), request.args["migration_id"][:64]
    if row is None:
        raise errors.NotFound(f"In-progress live migration {number} is not found for server "
                              f"{server.uuid}.")
    if row.record.kind != migration.LIVE:
        raise errors.NotFound(f"Migration {number} for server {server.uuid} is not "
                              f"live-migration.")
    if row.record.status not in migration.IN_PROGRESS:
        raise errors.NotFound(f"Live migration {number} for server {server.uuid} is not in "
                              f"progress.")
    return {"migration": _document(request, row, True)}


def abort(request: typing.Any) -> None:
    """The server stays where it is.  From 2.65 on before it is copied, too."""
    _steer(request, DELETE, migration.ABORT)


def force_complete(request: typing.Any) -> None:
    """It goes over now, whatever that costs the guest."""
    _steer(request, COMPLETE, migration.FORCE)


def _steer(request: typing.Any, rule: str, word: str) -> None:
    """The cell says whether that can be: what the view knows of a copy is old soon."""
    server = found.find(request, rule)
    found.unlocked(request, server)
    row, services = _row(request, server.uuid), request.services
    found.carry_out(request, services.orders.steer_migration(
        server.uuid, row.record.uuid if row else "", request.args["migration_id"][:64], word,
        request.version >= 65, request.origin, services.now()))


def _row(request: typing.Any, server: str) -> typing.Any:
    """The migration in the path, or None."""
    given = request.args["migration_id"]
    if not given.isascii() or not given.isdecimal() or len(given) > 9:
        return None
    with request.services.view.read() as tx:
        return request.services.view.migrations.by_id(tx, server, int(given))


_query = Query(strict="2.102")

ACTIONS = (
    Action("server_migrations:index", "GET", LIST, "stale", handler=index, query=_query,
           since="2.23"),
    Action("server_migrations:show", "GET", ONE, "stale", handler=show, query=_query,
           since="2.23"),
    Action("server_migrations:delete", "DELETE", ONE, "refuse", handler=abort, success=202,
           since="2.24"),
    Action("force_complete", "POST", f"{ONE}/action", "refuse", handler=force_complete,
           success=202, since="2.22", body=Shape(force_complete=nothing)),
)
