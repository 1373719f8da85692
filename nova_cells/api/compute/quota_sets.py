# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Quotas of a project, and of a user in it: show, show with usage, defaults, set, delete."""

import typing

from nova_cells.api import policy, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import REMOVED, Query, Shape, optional
from nova_cells.db.view.quota import RESOURCES, UNLIMITED
from nova_cells.domain import errors

PREFIX, PATH = "os_compute_api:os-quota-sets", "/os-quota-sets/{id}"
#: What older clients see: of the network up to 2.35, of injected files up to 2.56.
NETWORK = ("fixed_ips", "floating_ips", "security_groups", "security_group_rules")
INJECTED = ("injected_files", "injected_file_content_bytes", "injected_file_path_bytes")
LARGEST = 2**31 - 1

RULES = (
    policy.rule(f"{PREFIX}:show", policy.READER_OR_ADMIN, "Show a project's quotas",
                f"GET {PATH}"),
    policy.rule(f"{PREFIX}:detail", policy.READER_OR_ADMIN, "Show quotas with usage",
                f"GET {PATH}/detail"),
    policy.rule(f"{PREFIX}:defaults", policy.ANYONE, "Show default quotas",
                f"GET {PATH}/defaults"),
    policy.rule(f"{PREFIX}:update", policy.ADMIN, "Set quotas", f"PUT {PATH}"),
    policy.rule(f"{PREFIX}:delete", policy.ADMIN, "Go back to default quotas",
                f"DELETE {PATH}"),
)


def _resources(version: int) -> list[str]:
    hidden = (NETWORK if version >= 36 else ()) + (INJECTED if version >= 57 else ())
    return [name for name in RESOURCES if name not in hidden]


def _asked(request: typing.Any, verb: str) -> tuple[str, str | None]:
    """The project of the path and the user of the query; policy is asked about that project."""
    project, user = request.args["id"], request.param("user_id")
    request.authorize(f"{PREFIX}:{verb}", {"project_id": project,
                                           "user_id": request.context.user_id})
    return project, user


def _document(request: typing.Any, values: typing.Mapping[str, typing.Any],
              **head: str) -> dict[str, typing.Any]:
    return {"quota_set": head | {name: values[name] for name in _resources(request.version)}}


def show(request: typing.Any) -> dict[str, typing.Any]:
    """The limits."""
    project, user = _asked(request, "show")
    with request.services.view.read() as tx:
        limits = request.services.view.quota.limits(tx, project, user)
    return _document(request, limits, id=project)


def detail(request: typing.Any) -> dict[str, typing.Any]:
    """The limits, what is in use and what is reserved."""
    project, user = _asked(request, "detail")
    quota = request.services.view.quota
    with request.services.view.read() as tx:
        limits, usage = quota.limits(tx, project, user), quota.usage(tx, project, user)
    return _document(request, {
        name: {"limit": limit, "in_use": usage[name].in_use, "reserved": usage[name].reserved}
        for name, limit in limits.items()}, id=project)


def defaults(request: typing.Any) -> dict[str, typing.Any]:
    """What a project gets when nobody said anything."""
    with request.services.view.read() as tx:
        limits = request.services.view.quota.class_limits(tx)
    return _document(request, limits, id=request.args["id"])


def update(request: typing.Any) -> dict[str, typing.Any]:
    """Set limits.  Without ``force`` none may fall below what is used, nor a user's exceed the
    project's.
    """
    project, user = _asked(request, "update")
    given = dict(request.body["quota_set"])
    force = shapes.truth(given.pop("force", False))
    wanted = {name: int(value) for name, value in given.items() if name != "tenant_id"}
    quota = request.services.view.quota
    with request.services.view.write() as tx:
        quota.guard(tx, project)
        usage = quota.usage(tx, project, user)
        whole = quota.project_limits(tx, project) if user and not force else {}
        for name, limit in wanted.items():
            _check(name, limit, 0 if force else usage[name].total,
                   whole.get(name, UNLIMITED))
        quota.set_limits(tx, project, user, wanted)
        limits = quota.limits(tx, project, user)
    return _document(request, limits)


def _check(name: str, limit: int, least: int, most: int) -> None:
    if limit < UNLIMITED:
        raise errors.Invalid(f"Quota limit {limit} for {name} must be -1 or greater.")
    if limit == UNLIMITED:
        limit = LARGEST
    if limit < least:
        raise errors.Invalid(f"Quota limit {limit} for {name} must be greater than or equal to "
                             f"already used and reserved {least}.")
    if most != UNLIMITED and limit > most:
        raise errors.Invalid(f"Quota limit for {name} of a user must be less than or equal to "
                             f"the project's limit {most}.")


def delete(request: typing.Any) -> None:
    """Forget the limits of the project with all its users, or of one user."""
    project, user = _asked(request, "delete")
    with request.services.view.write() as tx:
        request.services.view.quota.delete_limits(tx, project, user)


LIMIT = optional(shapes.integer(UNLIMITED, LARGEST))
LIMITS = dict.fromkeys(RESOURCES, LIMIT)
_set = (Shape(LIMITS, force=optional(shapes.boolean), tenant_id=optional(shapes.anything))
        .since("2.36", dict.fromkeys(NETWORK, REMOVED))
        .since("2.57", dict.fromkeys(INJECTED, REMOVED)))
_user = Query(strict="2.75", user_id=optional(shapes.string(1, 255)))

ACTIONS = (
    Action("quota-sets:show", "GET", PATH, "serve", handler=show, query=_user),
    Action("quota-sets:detail", "GET", f"{PATH}/detail", "serve", handler=detail, query=_user),
    Action("quota-sets:defaults", "GET", f"{PATH}/defaults", "serve", policy=f"{PREFIX}:defaults",
           handler=defaults),
    Action("quota-sets:update", "PUT", PATH, "serve", handler=update, query=_user,
           body=Shape(quota_set=_set)),
    Action("quota-sets:delete", "DELETE", PATH, "serve", handler=delete, query=_user, success=202),
)
