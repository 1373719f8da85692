# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Images and their metadata as they were shown here before everybody asked the image service (until
2.35 and 2.38): asked there, with the user's own token, and told in the old words.

No policy of ours: the image service decides who sees and changes what.  Source: the public api-ref,
"Images (DEPRECATED)".
"""

import typing

from nova_cells.api import image_making, paging, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Query, Shape, optional
from nova_cells.domain import errors
from nova_cells.image import protocol

LAST, LAST_METADATA = "2.35", "2.38"
#: Old names of filters, and the image service's.
FILTERS = {"name": "name", "status": "status", "server": "instance_uuid", "type": "image_type",
           "minRam": "min_ram", "minDisk": "min_disk"}
STATUS = {"active": "ACTIVE", "queued": "SAVING", "saving": "SAVING", "deleted": "DELETED",
          "pending_delete": "DELETED", "killed": "ERROR"}
PROGRESS = {"queued": 25, "saving": 50, "active": 100}
_AUTO = frozenset(("1", "t", "true", "on", "y", "yes"))


# -- documents ------------------------------------------------------------------------------------

def _links(request: typing.Any, image_id: str) -> list[dict[str, str]]:
    place = request.place
    service = request.services.images.address() or request.base
    return [{"rel": "self", "href": f"{place.versioned}/images/{image_id}"},
            {"rel": "bookmark", "href": f"{place.bare}/images/{image_id}"},
            {"rel": "alternate", "type": "application/vnd.openstack.image",
             "href": f"{service}/images/{image_id}"}]


def _brief(request: typing.Any, image: protocol.ImageDocument) -> dict[str, typing.Any]:
    return {"id": image.id, "name": image.name, "links": _links(request, image.id)}


def _whole(request: typing.Any, image: protocol.ImageDocument) -> dict[str, typing.Any]:
    shown = {"id": image.id, "name": image.name, "minRam": image.min_ram,
             "minDisk": image.min_disk, "metadata": image.properties,
             "created": image.created_at, "updated": image.updated_at,
             "status": STATUS.get(image.status, "UNKNOWN"),
             "progress": PROGRESS.get(image.status, 0), "OS-EXT-IMG-SIZE:size": image.size,
             "links": _links(request, image.id)}
    server, auto = (image.properties.get(name) for name in ("instance_uuid", "auto_disk_config"))
    if server is not None:
        place = request.place
        shown["server"] = {"id": server, "links": [
            {"rel": "self", "href": f"{place.versioned}/servers/{server}"},
            {"rel": "bookmark", "href": f"{place.bare}/servers/{server}"}]}
    if auto is not None:
        shown["OS-DCF:diskConfig"] = "AUTO" if str(auto).strip().lower() in _AUTO else "MANUAL"
    return shown


# -- images ---------------------------------------------------------------------------------------

def _listed(path: str, render: typing.Callable) -> typing.Callable[[typing.Any], dict]:
    """A handler of a list."""
    def handler(request: typing.Any) -> dict:
        most = paging.limit(request)
        found = request.services.images.search(protocol.Search(
            filters=_filters(request), limit=most, marker=request.param("marker")),
            request.context.auth_token)
        shown: dict[str, typing.Any] = {"images": [render(request, image) for image in found]}
        following = paging.following(request, path, [image.id for image in found], most)
        if following:
            shown["images_links"] = following
        return shown
    return handler


def _filters(request: typing.Any) -> dict[str, str]:
    """The filters of a query, in the image service's words."""
    found: dict[str, str] = {}
    for name, value in request.http.GET.items():
        if "\0" in name or "\0" in value:
            raise errors.Invalid("The query holds a NUL character.")
        if name.startswith("property-"):
            found[name.removeprefix("property-")] = value
        elif name == "changes-since":
            found["updated_at"] = f"gte:{value}"
        elif name in FILTERS:
            found[FILTERS[name]] = value
    if "instance_uuid" in found:             # a server may be named by its URL
        found["instance_uuid"] = found["instance_uuid"].rsplit("/", 1)[-1]
    if "status" in found:
        found["status"] = found["status"].lower()
    return found


def show(request: typing.Any) -> dict:
    """One image."""
    try:
        image = request.services.images.show(request.args["id"], request.context.auth_token)
    except (errors.NotFound, errors.Refused):
        raise errors.NotFound("Image not found.") from None
    return {"image": _whole(request, image)}


def delete(request: typing.Any) -> None:
    """Delete an image."""
    try:
        request.services.images.delete(request.args["id"], request.context.auth_token)
    except errors.NotFound:
        raise errors.NotFound("Image not found.") from None


# -- metadata -------------------------------------------------------------------------------------

def _properties(request: typing.Any) -> dict[str, typing.Any]:
    try:
        return dict(request.services.images.show(
            request.args["id"], request.context.auth_token).properties)
    except errors.NotFound:
        raise errors.NotFound("Image not found.") from None


def _set(request: typing.Any, properties: dict[str, typing.Any]) -> dict[str, typing.Any]:
    """These and no other; what they are then."""
    try:
        return request.services.images.set_properties(
            request.args["id"], {name: value if isinstance(value, str) else str(value)
                                 for name, value in properties.items()},
            request.context.auth_token).properties
    except errors.NotFound:
        raise errors.NotFound("Image not found.") from None


def metadata_index(request: typing.Any) -> dict:
    """All properties."""
    return {"metadata": _properties(request)}


def metadata_show(request: typing.Any) -> dict:
    """One property."""
    key, found = request.args["key"], _properties(request)
    if key not in found:
        raise errors.NotFound("The resource could not be found.")
    return {"meta": {key: found[key]}}


def metadata_create(request: typing.Any) -> dict:
    """Some properties, beside those that are there."""
    properties = {**_properties(request), **request.body["metadata"]}
    image_making.within_limit(request, properties)
    return {"metadata": _set(request, properties)}


def metadata_update_all(request: typing.Any) -> dict:
    """These properties, instead of those that are there."""
    _properties(request)
    image_making.within_limit(request, request.body["metadata"])
    _set(request, request.body["metadata"])
    return {"metadata": request.body["metadata"]}


def metadata_update(request: typing.Any) -> dict:
    """One property."""
    key, meta = request.args["key"], request.body["meta"]
    if key not in meta:
        raise errors.Invalid("Request body and URI mismatch")
    properties = {**_properties(request), key: meta[key]}
    image_making.within_limit(request, properties)
    _set(request, properties)
    return {"meta": meta}


def metadata_delete(request: typing.Any) -> None:
    """One property less."""
    key, properties = request.args["key"], _properties(request)
    if key not in properties:
        raise errors.NotFound("Invalid metadata key")
    del properties[key]
    _set(request, properties)


_query = Query(limit=optional(shapes.positive), page_size=optional(shapes.positive),
               offset=optional(shapes.positive), marker=optional(shapes.string()))
_all = Shape(metadata=shapes.metadata)
_one = Shape(meta={**shapes.metadata, "minProperties": 1, "maxProperties": 1})


def _action(name: str, method: str, path: str, handler: typing.Callable, until: str,
            **how: typing.Any) -> Action:
    return Action(name, method, path, "serve", handler=handler, until=until, **how)


_METADATA, _ITEM = "/images/{id}/metadata", "/images/{id}/metadata/{key}"
ACTIONS = (
    _action("images:index", "GET", "/images", _listed("/images", _brief), LAST, query=_query),
    _action("images:detail", "GET", "/images/detail", _listed("/images/detail", _whole), LAST,
            query=_query),
    _action("images:show", "GET", "/images/{id}", show, LAST),
    _action("images:delete", "DELETE", "/images/{id}", delete, LAST, success=204),
    _action("image_metadata:index", "GET", _METADATA, metadata_index, LAST_METADATA),
    _action("image_metadata:create", "POST", _METADATA, metadata_create, LAST_METADATA, body=_all),
    _action("image_metadata:update_all", "PUT", _METADATA, metadata_update_all, LAST_METADATA,
            body=_all),
    _action("image_metadata:show", "GET", _ITEM, metadata_show, LAST_METADATA),
    _action("image_metadata:update", "PUT", _ITEM, metadata_update, LAST_METADATA, body=_one),
    _action("image_metadata:delete", "DELETE", _ITEM, metadata_delete, LAST_METADATA, success=204),
)
RULES = ()
