# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Quota classes.  Only the class "default" has an effect: it is every project's default."""

import typing

from nova_cells.api import policy, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.compute import quota_sets
from nova_cells.api.shapes import REMOVED, Shape, optional
from nova_cells.db.view.quota import RESOURCES
from nova_cells.domain import errors

PREFIX, PATH = "os_compute_api:os-quota-class-sets", "/os-quota-class-sets/{id}"
GROUPS = ("server_groups", "server_group_members")

RULES = (
    policy.rule(f"{PREFIX}:show", policy.ADMIN, "Show a quota class", f"GET {PATH}"),
    policy.rule(f"{PREFIX}:update", policy.ADMIN, "Set a quota class", f"PUT {PATH}"),
)


def _document(request: typing.Any, limits: dict[str, int],
              **head: str) -> dict[str, typing.Any]:
    """Server groups are shown from 2.50 on, which no longer shows what is the network's."""
    hidden = (quota_sets.NETWORK if request.version >= 50 else GROUPS) + (
        quota_sets.INJECTED if request.version >= 57 else ())
    return {"quota_class_set": head | {name: limits[name] for name in RESOURCES
                                       if name not in hidden}}


def show(request: typing.Any) -> dict[str, typing.Any]:
    """The limits of a class."""
    name = request.args["id"]
    with request.services.view.read() as tx:
        limits = request.services.view.quota.class_limits(tx, name)
    return _document(request, limits, id=name)


def update(request: typing.Any) -> dict[str, typing.Any]:
    """Set limits of a class."""
    name = request.args["id"]
    if len(name) > 255:
        raise errors.Invalid("The name of a quota class has at most 255 characters.")
    wanted = {key: int(value) for key, value in request.body["quota_class_set"].items()
              if key in RESOURCES}
    with request.services.view.write() as tx:
        request.services.view.quota.set_class_limits(tx, name, wanted)
        limits = request.services.view.quota.class_limits(tx, name)
    return _document(request, limits)


_set = (Shape(quota_sets.LIMITS, class_name=optional(shapes.string()))
        .since("2.50", dict.fromkeys(quota_sets.NETWORK, REMOVED))
        .since("2.57", dict.fromkeys(quota_sets.INJECTED, REMOVED)))

ACTIONS = (
    Action("quota-class-sets:show", "GET", PATH, "serve", policy=f"{PREFIX}:show", handler=show),
    Action("quota-class-sets:update", "PUT", PATH, "serve", policy=f"{PREFIX}:update",
           handler=update, body=Shape(quota_class_set=_set)),
)
