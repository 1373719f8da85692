# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Moves of servers, of all cells: what an operator looks at.

Listed from the view, as the cells sent them up.  Old clients know a migration by the integer that
the view minted for it, and its flavors by theirs.  Source: the public api-ref, "Migrations".
"""

import typing

from nova_cells.api import formats, found, paging, policy, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Query, optional
from nova_cells.db.view import migrations as rows
from nova_cells.domain import errors, migration, rendering

PREFIX, PATH = "os_compute_api:os-migrations", "/os-migrations"

RULES = (
    policy.rule(f"{PREFIX}:index", policy.MANAGER_OR_ADMIN,
                "List migrations of the project, without hosts.", f"GET {PATH}"),
    policy.rule(f"{PREFIX}:index:all_projects", policy.ADMIN, "List migrations of all projects.",
                f"GET {PATH}"),
    policy.rule(f"{PREFIX}:index:host", policy.ADMIN, "See the hosts of migrations.",
                f"GET {PATH}"),
)


def index(request: typing.Any) -> dict[str, typing.Any]:
    """Those that match; in pages, newest first, from 2.59 on."""
    version, context = request.version, request.context
    project = request.param("project_id") if version >= 80 else None
    asked = _asked(request, project)
    if not project or project != context.project_id:
        request.authorize(f"{PREFIX}:index:all_projects", _mine(request))
    hosts = request.allows(f"{PREFIX}:index:host", _mine(request))
    view = request.services.view
    request.cells.add(found.EVERY)
    with view.read() as tx:
        if version < 59:
            listed = view.migrations.all(tx, asked)
            return {"migrations": [_shown(request, row, hosts) for row in listed]}
        most, marker = paging.limit(request), request.param("marker")
        page = view.migrations.page(tx, asked, most, marker)
    if page is None:
        raise errors.Invalid(f"Marker {marker[:64]} could not be found.")
    answer = {"migrations": [_shown(request, row, hosts) for row in page]}
    links = paging.following(request, PATH, [row.record.uuid for row in page], most)
    return answer | ({"migrations_links": links} if links else {})


def _mine(request: typing.Any) -> dict[str, str]:
    return {"project_id": request.context.project_id, "user_id": request.context.user_id}


def _asked(request: typing.Any, project: str | None) -> rows.Asked:
    """The filters.  ``source_compute`` says nothing where ``host`` is given."""
    version, param = request.version, request.param
    hidden = param("hidden")
    since, before = _times(request)
    host = param("host")
    statuses: tuple[str, ...] | None = None if param("status") is None else (param("status"),)
    if hidden is not None and hidden.lower() not in ("0", "false", "no", "off", "f", "n", ""):
        statuses = ()                    # nothing is ever hidden here
    return rows.Asked(
        statuses=statuses, host=host, source=None if host else param("source_compute"),
        kind=param("migration_type"), server=param("instance_uuid"), since=since, before=before,
        user_id=param("user_id") if version >= 80 else None, project_id=project)


def _times(request: typing.Any) -> tuple[float | None, float | None]:
    since = request.param("changes-since") if request.version >= 59 else None
    before = request.param("changes-before") if request.version >= 66 else None
    found_ = tuple(formats.parse_time(text) if text else None for text in (since, before))
    if None not in found_ and found_[1] < found_[0]:
        raise errors.Invalid("The value of changes-since must be less than or equal to "
                             "changes-before.")
    return found_


def _shown(request: typing.Any, row: rows.Row, hosts: bool) -> dict[str, typing.Any]:
    """A migration as this version has it."""
    one, version = row.record, request.version
    shown = {
        "id": row.id, "instance_uuid": one.server, "status": one.status,
        "old_instance_type_id": row.old_flavor, "new_instance_type_id": row.new_flavor,
        "created_at": rendering.long_time(one.created_at),
        "updated_at": rendering.long_time(one.updated_at) if one.updated_at else None,
        **places(one, hosts)}
    if version >= 23:
        shown["migration_type"] = one.kind
        if one.kind == migration.LIVE and one.status in migration.IN_PROGRESS:
            shown["links"] = _links(request, row)
    if version >= 59:
        shown["uuid"] = one.uuid
    if version >= 80:
        shown |= {"user_id": one.user_id, "project_id": one.project_id}
    return shown


def places(one: migration.Migration, hosts: bool) -> dict[str, str | None]:
    """Where from and where to, for who may know."""
    known = {"source_compute": one.source, "source_node": one.source_node,
             "dest_compute": one.dest, "dest_node": one.dest_node, "dest_host": one.dest_address}
    return {name: value or None if hosts else None for name, value in known.items()}


def _links(request: typing.Any, row: rows.Row) -> list[dict[str, str]]:
    path, place = f"/servers/{row.record.server}/migrations/{row.id}", request.place
    return [{"rel": "self", "href": place.versioned + path},
            {"rel": "bookmark", "href": place.bare + path}]


_word = optional(shapes.string())
_time = optional(shapes.string(format="date-time"))
_query = Query(
    strict="2.59", hidden=_word, host=_word, instance_uuid=_word, source_compute=_word,
    status=_word, migration_type=_word,
).since("2.59", {"changes-since": _time}, **paging.PARAMETERS
).since("2.66", {"changes-before": _time}
).since("2.80", user_id=_word, project_id=_word)

ACTIONS = (
    Action("migrations:index", "GET", PATH, "stale", policy=f"{PREFIX}:index", handler=index,
           query=_query),
)
