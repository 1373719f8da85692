# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What modules of server actions share: rows of the catalogue, and the way to a server.

A module of actions says for each of its verbs the key in the body, the policy rule, the shape and
the handler.  A verb that nothing serves yet goes through the same checks (shape, server, policy,
lock, state) and ends as 501 that names the capability.
"""

import collections.abc
import typing

from oslo_policy import policy as oslo_policy

from nova_cells.api import found, policy, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Shape
from nova_cells.domain import lifecycle

PATH = "/servers/{id}/action"
API = "os_compute_api:"
Handler = collections.abc.Callable[[typing.Any], typing.Any]


def allowed(request: typing.Any, rule: str, lock: bool = True) -> typing.Any:
    """The server's row, if the asker may do this to it and it is not locked."""
    row = found.find(request, API + rule)
    if lock:
        found.unlocked(request, row)
    return row


def act(request: typing.Any, row: typing.Any, verb: str, **fields: typing.Any) -> typing.Any:
    """Order a verb of the lifecycle table; ``fields`` as ``Orders.act`` takes them."""
    services = request.services
    return found.carry_out(request, services.orders.act(row.uuid, verb, request.origin,
                                                        services.now(), **fields))


def possible(row: typing.Any, verb: str) -> typing.Any:
    """The server's record, if its state allows this verb: told before anything is looked up."""
    record = found.unpack(row.record)
    lifecycle.begin(record, verb, 0.0)
    return record


def verb(name: str, rule: str) -> Handler:
    """A handler that begins a verb which needs nothing but its name."""
    def handler(request: typing.Any) -> None:
        act(request, allowed(request, rule), name)
    return handler


def bare(key: str) -> Shape:
    """A body with this key and anything in it."""
    return Shape({key: shapes.anything})


def fields(key: str, **inner: typing.Any) -> Shape:
    """A body with this key and these fields in it."""
    return Shape({key: Shape(**inner)})


def action(key: str, handler: Handler, body: Shape | None = None, success: int = 202,
           down: str = "refuse", since: str = "2.1", until: str | None = None) -> Action:
    """A row of the catalogue."""
    return Action(key, "POST", PATH, down, success=success, handler=handler,
                  body=body or bare(key), since=since, until=until)


def rule(name: str, check: str = policy.MEMBER_OR_ADMIN,
         description: str | None = None) -> oslo_policy.DocumentedRuleDefault:
    """The policy of an action, under Nova's name without its prefix."""
    return policy.rule(API + name, check,
                       description or f"Run {name.replace(':', ' ')} on a server.",
                       "POST /servers/{server_id}/action")
