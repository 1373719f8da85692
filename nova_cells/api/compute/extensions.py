# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Extensions: a list that old clients ask for.  There are none: versions tell all."""

from nova_cells.api import policy
from nova_cells.api.catalogue import Action
from nova_cells.domain import errors

RULES = (policy.rule("os_compute_api:extensions", policy.ANYONE, "List or show extensions.",
                     "GET /extensions", "GET /extensions/{alias}"),)


def list_all(_request) -> dict:
    """An empty list."""
    return {"extensions": []}


def show(_request) -> dict:
    """None is known."""
    raise errors.NotFound("The resource could not be found.")


ACTIONS = (
    Action("extensions:list", "GET", "/extensions", "serve", handler=list_all,
           policy="os_compute_api:extensions"),
    Action("extensions:show", "GET", "/extensions/{alias}", "serve", handler=show,
           policy="os_compute_api:extensions"),
)
