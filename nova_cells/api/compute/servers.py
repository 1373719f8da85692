# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Servers: list, detail, show, create, update, delete.

Reads come from the view alone and never wait for a cell.  Source: the public api-ref,
"Servers".
"""

import hashlib
import typing
import urllib.parse

import orjson

from nova_cells.api import (
    acting,
    formats,
    found,
    identity,
    image_making,
    once,
    policy,
    server_create,
    server_query,
    shapes,
)
from nova_cells.api.catalogue import Action
from nova_cells.api.request import Reply
from nova_cells.api.shapes import Query, Shape, optional
from nova_cells.db.view import listing
from nova_cells.domain import document, errors, lifecycle, rendering

PREFIX = "os_compute_api:servers"
_DOC, _CELL = listing.DOC, listing.CELL

RULES = (
    policy.rule(f"{PREFIX}:index", policy.READER_OR_ADMIN, "List servers.", "GET /servers"),
    policy.rule(f"{PREFIX}:detail", policy.READER_OR_ADMIN, "List servers in detail.",
                "GET /servers/detail"),
    policy.rule(f"{PREFIX}:index:get_all_tenants", policy.ADMIN, "List the servers of all "
                "projects.", "GET /servers"),
    policy.rule(f"{PREFIX}:detail:get_all_tenants", policy.ADMIN, "List the servers of all "
                "projects in detail.", "GET /servers/detail"),
    policy.rule(f"{PREFIX}:allow_all_filters", policy.ADMIN, "Use every filter of a list.",
                "GET /servers", "GET /servers/detail"),
    policy.rule(f"{PREFIX}:show", policy.READER_OR_ADMIN, "Show a server.",
                "GET /servers/{server_id}"),
    policy.rule(found.EXTRA_SPECS, policy.READER_OR_ADMIN, "See the extra specs of a server's "
                "flavor (2.47).", "GET /servers/{server_id}", "GET /servers/detail"),
    policy.rule(found.HOST_STATUS, policy.ADMIN, "See whether a server's host is up (2.16).",
                "GET /servers/{server_id}", "GET /servers/detail"),
    policy.rule(found.UNKNOWN_ONLY, policy.ADMIN, "See that the status of a server's host is "
                "unknown, and no other (2.16).", "GET /servers/{server_id}",
                "GET /servers/detail"),
    policy.rule(found.ATTRIBUTES, policy.ADMIN, "See where a server is, and its internal names.",
                "GET /servers/{server_id}", "GET /servers/detail"),
    policy.rule(f"{PREFIX}:create", policy.MEMBER_OR_ADMIN, "Create a server.", "POST /servers"),
    policy.rule(f"{PREFIX}:create:forced_host", policy.ADMIN, "Create a server on a host by its "
                "availability zone.", "POST /servers"),
    policy.rule("compute:servers:create:requested_destination", policy.ADMIN, "Create a server "
                "on a host (2.74).", "POST /servers"),
    policy.rule(f"{PREFIX}:create:zero_disk_flavor", policy.ADMIN, "Create a server from an "
                "image with a flavor without a disk.", "POST /servers"),
    policy.rule(f"{PREFIX}:create:attach_volume", policy.MEMBER_OR_ADMIN, "Create a server with "
                "block devices.", "POST /servers"),
    policy.rule(f"{PREFIX}:create:trusted_certs", policy.MEMBER_OR_ADMIN, "Create a server with "
                "trusted image certificates (2.63).", "POST /servers"),
    policy.rule(f"{PREFIX}:update", policy.MEMBER_OR_ADMIN, "Update a server.",
                "PUT /servers/{server_id}"),
    policy.rule(f"{PREFIX}:delete", policy.MEMBER_OR_ADMIN, "Delete a server.",
                "DELETE /servers/{server_id}"),
)


# -- lists ----------------------------------------------------------------------------------------

def index(request: typing.Any) -> Reply | dict:
    """The short list: id, name, links."""
    try:
        query = server_query.read(request, "index")
    except server_query.Nothing:
        return {"servers": []}
    with request.services.view.read() as tx:
        rows = listing.page(tx, query, listing.BRIEF)
        ages = found.ages(request, tx, (row.cell for row in rows))
    place = request.place
    servers = [{"id": row.uuid, "name": row.name, "links": [
        {"rel": "self", "href": f"{place.versioned}/servers/{row.uuid}"},
        {"rel": "bookmark", "href": f"{place.bare}/servers/{row.uuid}"}]} for row in rows]
    return Reply({"servers": servers, **_next(request, query, rows, "servers")}, headers=ages)


def detail(request: typing.Any) -> Reply | dict:
    """The long list: stored documents, joined."""
    try:
        query = server_query.read(request, "detail")
    except server_query.Nothing:
        return {"servers": []}
    seen = found.sight(request)
    made = document.plan(document.DETAIL, request.version, seen)
    watched = made.wants_host_status or made.wants_user_data
    with request.services.view.read() as tx:
        if not watched and _asks_etag(request):
            stamps = listing.page(tx, query, listing.STAMPED)
            tag = _etag(request, stamps)
            if _matches(request, tag):
                ages = found.ages(request, tx, (row.cell for row in stamps))
                return Reply(status=304, headers=(("ETag", tag), *ages))
        rows = listing.page(tx, query, listing.WATCHED if watched else listing.DETAIL)
        extras = found.volatile(request, tx, rows, made, seen)
        ages = found.ages(request, tx, (row[_CELL] for row in rows))
    tag = _etag(request, rows, extras)
    if watched and _matches(request, tag):
        return Reply(status=304, headers=(("ETag", tag), *ages))
    following = _next(request, query, rows, "servers/detail")
    joiner = document.Joiner(made, request.place)
    stored = _taken(rows)
    documents = (joiner.all(stored) if extras is None
                 else [joiner.one(*both) for both in zip(stored, extras, strict=True)])
    tail = b"," + orjson.dumps(following)[1:] if following else b"}"
    body = document.enclosed(b'{"servers":[', documents, b"]" + tail)
    return Reply(body, headers=(("ETag", tag), *ages))


def _taken(rows: list) -> typing.Iterator[bytes]:
    """The stored documents, each let go of as soon as it is taken: a long list is never held
    both as it is stored and as it is sent."""
    rows.reverse()
    while rows:
        yield rows.pop()[_DOC]


def _next(request: typing.Any, query: listing.Query, rows: list, path: str) -> dict:
    """Where the next page is, if this one was full."""
    if not rows or len(rows) < query.limit:
        return {}
    kept = [(name, value) for name, value in urllib.parse.parse_qsl(
        request.http.environ.get("QUERY_STRING", ""), keep_blank_values=True)
        if name != "marker"]
    words = urllib.parse.urlencode([*kept, ("marker", rows[-1].uuid)])
    return {"servers_links": [{"rel": "next", "href":
                               f"{request.place.versioned}/{path}?{words}"}]}


# -- unchanged answers ----------------------------------------------------------------------------

def _asks_etag(request: typing.Any) -> bool:
    return "HTTP_IF_NONE_MATCH" in request.http.environ and request.services.conf.api.etags


def _etag(request: typing.Any, rows: list, extras: list | None = None) -> str:
    """Names an answer: what it shows, to whom, at which version, where its links lead."""
    stamps = [f"{row[0]}{row[1]}.{row[2]}" for row in rows]      # as in listing.STAMPS
    word = hashlib.blake2b(";".join(stamps).encode(), digest_size=16)
    word.update(repr((request.version, request.place, found.sight(request), extras,
                      request.http.environ.get("QUERY_STRING"))).encode())
    word.update(identity.describe(request.context))
    return f'"{word.hexdigest()}"'


def _matches(request: typing.Any, tag: str) -> bool:
    if not _asks_etag(request):
        return False
    given = request.http.environ["HTTP_IF_NONE_MATCH"].split(",")
    return tag in [one.strip().removeprefix("W/") for one in given]


# -- one ------------------------------------------------------------------------------------------

def show(request: typing.Any) -> Reply:
    """One server."""
    view = request.services.view
    with view.read() as tx:
        row = found.row(request, tx, request.args["id"], shown=True)
        request.authorize(f"{PREFIX}:show", found.target(row))
        body = found.document_of(request, tx, row)
        ages = found.ages(request, tx, (row.cell,))
    tag = '"' + hashlib.blake2b(body, digest_size=16).hexdigest() + '"'
    if _matches(request, tag):
        return Reply(status=304, headers=(("ETag", tag), *ages))
    return Reply(b'{"server":' + body + b"}", headers=(("ETag", tag), *ages))


def update(request: typing.Any) -> dict | bytes:
    """Change what the owner gave."""
    row = found.find(request, f"{PREFIX}:update")
    given = request.body["server"]
    names = {"name": "name", "description": "description", "hostname": "hostname",
             "accessIPv4": "access_ip_v4", "accessIPv6": "access_ip_v6",
             "OS-DCF:diskConfig": "disk_config",
             "pinned_availability_zone": "pinned_availability_zone"}
    fields = {names[key]: value for key, value in given.items() if key in names}
    if "name" in fields:
        fields["name"] = fields["name"].strip()
    if "access_ip_v6" in fields:
        fields["access_ip_v6"] = formats.address(fields["access_ip_v6"])
    record = found.unpack(row.record)
    zone = fields.get("pinned_availability_zone")
    if zone is not None and zone != record.availability_zone:
        raise errors.Invalid(f"Instance {row.uuid} can be pinned only to the availability zone "
                             f"in which it is.")
    if fields:
        services = request.services
        order = services.orders.update(row.uuid, fields, request.origin, services.now())
        record = found.carry_out(request, order) or record
    if request.version >= 75:
        with request.services.view.read() as tx:
            row = found.row(request, tx, row.uuid)
            return b'{"server":' + found.document_of(request, tx, row) + b"}"
    return {"server": rendering.render(record, "update", request.version, found.sight(request),
                                       request.place)}


def delete(request: typing.Any) -> None:
    """Delete; kept for a cell that is down.  With reclaim_instance_interval only put aside, if
    there is something that could be restored."""
    row = found.find(request, f"{PREFIX}:delete")
    found.unlocked(request, row)
    services = request.services
    if services.conf.reclaim_instance_interval > 0 and row.placed:
        record = found.unpack(row.record)
        if lifecycle.aside(record):
            return
        if lifecycle.recoverable(record):
            acting.act(request, row, "soft_delete")
            return
    order = services.orders.delete(row.uuid, request.origin, services.now())
    found.carry_out(request, order)
    image_making.forget_shelved(request, row)


_update = Shape(server=Shape(
    {"OS-DCF:diskConfig": optional(shapes.one_of("AUTO", "MANUAL"))},
    name=optional(shapes.name), accessIPv4=optional(shapes.string(format="ipv4")),
    accessIPv6=optional(shapes.string(format="ipv6")),
).since("2.19", description=optional(shapes.description))
 .since("2.90", hostname=optional(shapes.hostname))
 .since("2.94", hostname=optional(shapes.full_hostname))
 .since("2.104", pinned_availability_zone=optional(shapes.name_or_null)))
_nothing = Query(strict="2.75")

ACTIONS = (
    Action("servers:index", "GET", "/servers", "stale", policy=f"{PREFIX}:index", handler=index,
           query=server_query.QUERY),
    Action("servers:create", "POST", "/servers", "elsewhere", policy=f"{PREFIX}:create",
           success=202, handler=server_create.create, body=server_create.SHAPE,
           headers=(once.HEADER,)),
    Action("servers:detail", "GET", "/servers/detail", "stale", policy=f"{PREFIX}:detail",
           handler=detail, query=server_query.QUERY, also=(304,)),
    Action("servers:show", "GET", "/servers/{id}", "stale", handler=show, query=_nothing,
           also=(304,)),
    Action("servers:update", "PUT", "/servers/{id}", "refuse", handler=update, body=_update),
    Action("servers:delete", "DELETE", "/servers/{id}", "keep", handler=delete, success=204,
           query=_nothing),
)
