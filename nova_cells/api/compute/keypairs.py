# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Key pairs of a user: list, show, create or import, delete.

From 2.10 on an admin may act for another user; up to 2.91 the service makes keys on request,
and then the private half is in that one reply and nowhere else.
"""

import datetime
import typing

from nova_cells.api import paging, policy, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.compute import keys
from nova_cells.api.request import Reply
from nova_cells.api.shapes import Query, Shape, optional
from nova_cells.db.view import keypairs as stored

PREFIX = "os_compute_api:os-keypairs"
OWNER = "rule:context_is_admin or user_id:%(user_id)s"

RULES = (
    policy.rule(f"{PREFIX}:index", OWNER, "List key pairs", "GET /os-keypairs"),
    policy.rule(f"{PREFIX}:show", OWNER, "Show a key pair", "GET /os-keypairs/{keypair_name}"),
    policy.rule(f"{PREFIX}:create", OWNER, "Create or import a key pair", "POST /os-keypairs"),
    policy.rule(f"{PREFIX}:delete", OWNER, "Delete a key pair",
                "DELETE /os-keypairs/{keypair_name}"),
)


def _user(request: typing.Any, verb: str, asked: str | None) -> str:
    """Whose key pairs: the asker's, or another user's if policy allows that."""
    user = asked or request.context.user_id
    request.authorize(f"{PREFIX}:{verb}", {"user_id": user,
                                           "project_id": request.context.project_id})
    return user


def _time(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")


def _document(request: typing.Any, pair: stored.KeyPair) -> dict[str, typing.Any]:
    document = {"name": pair.name, "public_key": pair.public_key,
                "fingerprint": pair.fingerprint}
    if request.version >= 2:
        document["type"] = pair.kind
    return document


def index(request: typing.Any) -> dict[str, typing.Any]:
    """The user's key pairs by name; in pages from 2.35 on."""
    user = _user(request, "index", request.param("user_id"))
    paged = request.version >= 35
    limit = paging.limit(request) if paged else None
    with request.services.view.read() as tx:
        pairs = request.services.view.keypairs.list(tx, user, limit, request.param("marker"))
    body: dict[str, typing.Any] = {
        "keypairs": [{"keypair": _document(request, pair)} for pair in pairs]}
    if limit is not None:
        following = paging.following(request, "/os-keypairs", [pair.name for pair in pairs],
                                     limit)
        if following:
            body["keypairs_links"] = following
    return body


def show(request: typing.Any) -> dict[str, typing.Any]:
    """One key pair, whole."""
    user = _user(request, "show", request.param("user_id"))
    with request.services.view.read() as tx:
        pair = request.services.view.keypairs.get(tx, user, request.args["id"])
    return {"keypair": _document(request, pair) | {
        "user_id": pair.user_id, "id": pair.id, "created_at": _time(pair.created_at),
        "updated_at": None, "deleted_at": None, "deleted": False}}


def create(request: typing.Any) -> Reply:
    """Import a public key, or (up to 2.91) make a pair."""
    given = request.body["keypair"]
    user = _user(request, "create", given.get("user_id"))
    kind, now = given.get("type", "ssh"), request.services.now()
    if "public_key" in given:
        made = keys.Made("", given["public_key"], keys.fingerprint(kind, given["public_key"]))
    else:
        made = keys.generate(kind, user, now)
    pair = stored.KeyPair(user_id=user, name=given["name"], kind=kind, created_at=now,
                          fingerprint=made.fingerprint, public_key=made.public)
    view = request.services.view
    with view.write() as tx:
        limits = view.quota.limits(tx, request.context.project_id or "", user)
        view.keypairs.create(tx, pair, limits["key_pairs"])
    document = _document(request, pair) | {"user_id": user}
    if made.private:
        document["private_key"] = made.private
    return Reply({"keypair": document}, status=200 if request.version < 2 else 201)


def delete(request: typing.Any) -> Reply:
    """Gone; servers keep the key that they were booted with."""
    user = _user(request, "delete", request.param("user_id"))
    with request.services.view.write() as tx:
        request.services.view.keypairs.delete(tx, user, request.args["id"])
    return Reply(status=202 if request.version < 2 else 204)


_name = shapes.name | {"pattern": "^[a-zA-Z0-9 _-]+$"}
_key = shapes.string(high=65535)
_user_id = optional(shapes.string(1, 255))
_create = Shape(keypair=Shape(name=_name, public_key=optional(_key))
                .since("2.2", type=optional(shapes.one_of("ssh", "x509")))
                .since("2.10", user_id=_user_id)
                .since("2.92", public_key=_key,
                       name=shapes.name | {"pattern": "^[a-zA-Z0-9@._ -]+$"}))
_whose = Query(strict="2.75").since("2.10", user_id=_user_id)

ACTIONS = (
    Action("keypairs:index", "GET", "/os-keypairs", "serve", handler=index,
           query=_whose.since("2.35", paging.PARAMETERS)),
    Action("keypairs:create", "POST", "/os-keypairs", "serve", handler=create, body=_create,
           also=(201,)),
    Action("keypairs:show", "GET", "/os-keypairs/{id}", "serve", handler=show, query=_whose),
    Action("keypairs:delete", "DELETE", "/os-keypairs/{id}", "serve", handler=delete, query=_whose,
           success=204),
)
