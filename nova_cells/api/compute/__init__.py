# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The Compute API v2.1: one module per resource.

Every module here that has ``ACTIONS`` is served; its ``RULES`` are the policy that its actions
name.  A module is found by being here: there is no list to keep.

    # keypairs.py
    RULES = (policy.rule("os_compute_api:os-keypairs:show", "user_id:%(user_id)s",
                         "Show a key pair", "GET /os-keypairs/{id}"),)

    def show(request):
        with request.services.view.read() as tx:
            pair = request.services.view.keypairs.get(tx, request.context.user_id,
                                                      request.args["id"])
        if pair is None:
            raise errors.NotFound(f"Keypair {request.args['id']} not found for user ...")
        return {"keypair": {...}}

    ACTIONS = (
        Action("keypairs:show", "GET", "/os-keypairs/{id}", "serve", handler=show,
               policy="os_compute_api:os-keypairs:show",
               query=Query(user_id=optional(shapes.string())).since(...)),
    )
"""

import importlib
import pkgutil
import types

from oslo_policy import policy as oslo_policy

from nova_cells.api import catalogue


def modules() -> list[types.ModuleType]:
    """The resource modules, by name."""
    return [importlib.import_module(f"{__name__}.{found.name}")
            for found in sorted(pkgutil.iter_modules(__path__), key=lambda one: one.name)]


def actions() -> list[catalogue.Action]:
    """All actions of the API: each module's ``ACTIONS``, and what its ``more`` makes of all of
    those."""
    found = modules()
    own = [action for module in found for action in getattr(module, "ACTIONS", ())]
    return own + [action for module in found if hasattr(module, "more")
                  for action in module.more(own)]


def rules() -> list[oslo_policy.RuleDefault]:
    """All policy rules of the API."""
    return [rule for module in modules() for rule in getattr(module, "RULES", ())]
