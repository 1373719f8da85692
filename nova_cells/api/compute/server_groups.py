# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Server groups: list, show, create, delete.

A server joins a group by the hint ``group`` of its create, and leaves it when it is deleted.
Source: the public api-ref, "Server groups".
"""

import typing

from nova_cells.api import paging, policy, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import REMOVED, Query, Shape, optional
from nova_cells.domain import errors, groups

PREFIX = "os_compute_api:os-server-groups"
LIST, ITEM = "/os-server-groups", "/os-server-groups/{id}"

LARGEST = 2**31 - 1

RULES = (
    policy.rule(f"{PREFIX}:create", policy.MEMBER_OR_ADMIN, "Create a server group",
                f"POST {LIST}"),
    policy.rule(f"{PREFIX}:delete", policy.MEMBER_OR_ADMIN, "Delete a server group",
                f"DELETE {ITEM}"),
    policy.rule(f"{PREFIX}:index", policy.READER_OR_ADMIN, "List server groups", f"GET {LIST}"),
    policy.rule(f"{PREFIX}:index:all_projects", policy.ADMIN,
                "List the server groups of all projects", f"GET {LIST}"),
    policy.rule(f"{PREFIX}:show", policy.READER_OR_ADMIN, "Show a server group", f"GET {ITEM}"),
)


def _document(request: typing.Any, row: typing.Any, members: list[str]) -> dict[str, typing.Any]:
    shown = {"id": row.uuid, "name": row.name, "members": members}
    if request.version >= 64:
        rules = {} if row.max_per_host is None else {"max_server_per_host": row.max_per_host}
        shown |= {"policy": row.policy, "rules": rules}
    else:
        shown |= {"policies": [row.policy], "metadata": {}}
    if request.version >= 13:
        shown |= {"project_id": row.project_id, "user_id": row.user_id}
    return shown


def _find(request: typing.Any, tx: typing.Any, verb: str) -> typing.Any:
    """The group in the path, if the asker may do this to it."""
    row = request.services.view.groups.get(tx, request.args["id"])
    request.authorize(f"{PREFIX}:{verb}", {"project_id": row.project_id,
                                           "user_id": row.user_id})
    return row


def _whole(request: typing.Any, tx: typing.Any, row: typing.Any) -> dict[str, typing.Any]:
    members = request.services.view.groups.members(tx, [row.uuid])
    return {"server_group": _document(request, row, members.get(row.uuid, []))}


def index(request: typing.Any) -> dict[str, typing.Any]:
    """The project's groups; an admin may ask for those of all projects."""
    project = request.context.project_id or ""
    if request.param("all_projects") is not None and request.admin:
        request.authorize(f"{PREFIX}:index:all_projects")
        project = None
    store, limit = request.services.view.groups, paging.limit(request)
    with request.services.view.read() as tx:
        rows = store.page(tx, project, limit, min(int(request.param("offset", "0")), LARGEST))
        members = store.members(tx, [row.uuid for row in rows])
    return {"server_groups": [_document(request, row, members.get(row.uuid, []))
                              for row in rows]}


def show(request: typing.Any) -> dict[str, typing.Any]:
    """One group."""
    with request.services.view.read() as tx:
        return _whole(request, tx, _find(request, tx, "show"))


def create(request: typing.Any) -> dict[str, typing.Any]:
    """A new group, within the quota of the project and of the user."""
    given, who, services = request.body["server_group"], request.context, request.services
    chosen = given["policy"] if request.version >= 64 else given["policies"][0]
    rules = given.get("rules", {})
    if rules and chosen != groups.ANTI_AFFINITY:
        raise errors.Invalid("Only anti-affinity policy supports rules.")
    most, uuid = rules.get("max_server_per_host"), services.ids.uuid()
    with services.view.write() as tx:
        services.view.quota.guard(tx, who.project_id or "")
        _fit(request, tx)
        services.view.groups.create(tx, {
            "uuid": uuid, "project_id": who.project_id or "", "user_id": who.user_id or "",
            "name": given["name"], "policy": chosen, "created_at": services.now(),
            "max_per_host": None if most is None else int(most)})
        return _whole(request, tx, services.view.groups.get(tx, uuid))


def _fit(request: typing.Any, tx: typing.Any) -> None:
    who, view = request.context, request.services.view
    project, user = who.project_id or "", who.user_id or ""
    for limits, used in ((view.quota.project_limits(tx, project), view.groups.count(tx, project)),
                         (view.quota.limits(tx, project, user),
                          view.groups.count(tx, project, user))):
        if 0 <= limits["server_groups"] <= used:
            raise errors.OverLimit("Quota exceeded, too many server groups.")


def delete(request: typing.Any) -> None:
    """Gone.  Its servers stay, and go on to keep its policy among themselves."""
    with request.services.view.write() as tx:
        _find(request, tx, "delete")
        request.services.view.groups.delete(tx, request.args["id"])


_old = shapes.array(shapes.one_of(*groups.STRICT), low=1, high=1, unique=True)
_soft = shapes.array(shapes.one_of(*groups.POLICIES), low=1, high=1, unique=True)
_most = shapes.integer(1, LARGEST)
_create = Shape(server_group=Shape(name=shapes.name, policies=_old)
                .since("2.15", policies=_soft)
                .since("2.64", policies=REMOVED, policy=shapes.one_of(*groups.POLICIES),
                       rules=optional(Shape(max_server_per_host=optional(_most)))))
_listing = Query(strict="2.75", all_projects=optional(shapes.string()),
                 limit=optional(shapes.non_negative), offset=optional(shapes.non_negative))

ACTIONS = (
    Action("server-groups:index", "GET", LIST, "serve", policy=f"{PREFIX}:index", handler=index,
           query=_listing),
    Action("server-groups:create", "POST", LIST, "serve", policy=f"{PREFIX}:create",
           handler=create, body=_create),
    Action("server-groups:show", "GET", ITEM, "serve", handler=show, query=Query(strict="2.102")),
    Action("server-groups:delete", "DELETE", ITEM, "serve", handler=delete, success=204),
)
