# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Creating servers: what a body may say, and how it becomes a boot request that says it all.

Names are looked up here, once: flavor, image, key, zone, the servers of hints.  What cannot be
found is 400, as the api-ref has it.  Secrets go apart.  Never sends anything itself.
"""

import base64
import logging
import re
import secrets
import string
import typing

import msgspec

from nova_cells.api import (
    formats,
    once,
    server_networks,
    server_target,
    server_volumes,
    shapes,
)
from nova_cells.api.orders import Asked
from nova_cells.api.request import Reply
from nova_cells.api.shapes import REMOVED, Shape, optional
from nova_cells.domain import boot, disks, errors, tags
from nova_cells.domain import server as model

LOG = logging.getLogger(__name__)
_PASSWORD = string.ascii_letters + string.digits
GIB, MIB = 2**30, 2**20

# -- shapes ---------------------------------------------------------------------------------------

_image = shapes.either(shapes.uuid, {"type": "string", "maxLength": 0})
_flavor = {"type": ["string", "integer"], "minLength": 1, "maxLength": 255}
_file = {"type": "object", "additionalProperties": False, "required": ["path", "contents"],
         "properties": {"path": shapes.string(), "contents": shapes.string(format="base64")}}
_group = {"type": "object", "additionalProperties": False,
          "properties": {"name": shapes.string(1, 255)}}
_uuids = shapes.either(shapes.uuid, shapes.array(shapes.uuid))
_hints = {"type": "object", "additionalProperties": True, "properties": {
    "group": shapes.uuid, "different_host": _uuids, "same_host": _uuids,
    "query": {"type": ["string", "object", "array"]}, "target_cell": shapes.string(1, 255),
    "different_cell": {"type": ["string", "array"]}, "build_near_host_ip": shapes.string(),
    "cidr": shapes.string()}}

_server = server_volumes.shape(Shape(
    {"OS-DCF:diskConfig": optional(shapes.one_of("AUTO", "MANUAL"))},
    name=shapes.name, flavorRef=_flavor, imageRef=optional(_image),
    adminPass=optional(shapes.string(high=255)), metadata=optional(shapes.metadata),
    networks=optional(server_networks.PLAIN), accessIPv4=optional(shapes.string(format="ipv4")),
    accessIPv6=optional(shapes.string(format="ipv6")), personality=optional(shapes.array(_file)),
    availability_zone=optional(shapes.name), key_name=optional(shapes.string(1, 255)),
    config_drive=optional(shapes.nullable(shapes.boolean)), min_count=optional(shapes.positive),
    max_count=optional(shapes.positive), return_reservation_id=optional(shapes.boolean),
    security_groups=optional(shapes.array(_group)),
    user_data=optional(shapes.string(high=65535, format="base64")),
)).since("2.19", description=optional(shapes.description),
).since("2.32", networks=optional(server_networks.TAGGED),
).since("2.37", networks=server_networks.WORDS,
).since("2.42", networks=server_networks.TAGGED_WORDS,
).since("2.52", tags=optional(shapes.array(shapes.tag, high=tags.MOST)),
).since("2.57", personality=REMOVED,
).since("2.63", trusted_image_certificates=optional(
    {"type": ["array", "null"], "items": shapes.string(1, 255), "minItems": 1, "maxItems": 50,
     "uniqueItems": True}),
).since("2.74", host=optional(shapes.string(1, 255)),
        hypervisor_hostname=optional(shapes.string(1, 255)),
).since("2.90", hostname=optional(shapes.hostname),
).since("2.94", hostname=optional(shapes.full_hostname))

SHAPE = Shape({"os:scheduler_hints": optional(_hints), "OS-SCH-HNT:scheduler_hints":
               optional(_hints)}, server=_server)


# -- the action -----------------------------------------------------------------------------------

def create(request: typing.Any) -> Reply:
    """Create servers: resolve, save, send.  202: nothing runs yet."""
    done = once.before(request)
    if done is not None:
        return done
    given = request.body["server"]
    low, high = _counts(given)
    asked, password, volumes = _resolve(request, given, low, high)
    services = request.services
    reply = _reply(request, asked.records[0], given, password)
    accepted = _order(request, msgspec.structs.replace(
        asked, once=once.keep(request, reply)), volumes)
    if accepted.kept is not None:                # the same request was faster
        return once.again(request, accepted.kept)
    for cast in accepted.casts:
        try:
            services.client.cast(cast.to, cast.message)
        except errors.Problem as problem:        # the collector sends it again
            LOG.warning("server=%s offer not sent: %s", cast.message.server, problem)
    return reply


def _reply(request: typing.Any, first: model.Server, given: dict, password: str) -> Reply:
    if shapes.truth(given.get("return_reservation_id", False)):
        return Reply({"reservation_id": first.reservation_id})
    place = request.place
    here = f"{place.versioned}/servers/{first.uuid}"
    shown = {"id": first.uuid, "OS-DCF:diskConfig": first.disk_config,
             "security_groups": [{"name": name} for name in first.security_groups],
             "links": [{"rel": "self", "href": here}, {
                 "rel": "bookmark", "href": f"{place.bare}/servers/{first.uuid}"}]}
    if request.services.conf.api.enable_instance_password:
        shown["adminPass"] = password
    return Reply({"server": shown}, headers=(("Location", here),))


def _order(request: typing.Any, asked: Asked,
           volumes: list[server_volumes.Wanted]) -> typing.Any:
    """Volumes taken, then servers written down and offered; or nothing of both."""
    services = request.services
    taking = server_volumes.Taking(request, asked.records, volumes)
    taking.take()
    try:
        accepted = services.orders.boot(
            msgspec.structs.replace(asked, records=taking.records), services.now())
    except Exception:
        taking.undo(())
        raise
    taking.accepted(server.uuid for server in accepted.servers)
    return accepted


def _counts(given: dict) -> tuple[int, int]:
    low = int(given.get("min_count", 1))
    high = int(given.get("max_count", low))
    if low > high:
        raise errors.Invalid("min_count must be <= max_count")
    if high > 1000:
        raise errors.Invalid("At most 1000 servers are created at a time.")
    return low, high


def _resolve(request: typing.Any, given: dict, low: int,
             high: int) -> tuple[Asked, str, list[server_volumes.Wanted]]:
    """Everything that was named, looked up."""
    found = server_volumes.read(request, given)
    attached = server_networks.resolve(request, given, high)
    password = given.get("adminPass") or fresh_password()
    view, who = request.services.view, request.context
    hints = (request.body.get("os:scheduler_hints")
             or request.body.get("OS-SCH-HNT:scheduler_hints") or {})
    with view.read() as tx:
        flavor = find_flavor(request, tx, given)
        key = find_key(request, tx, given)
        if given.get("metadata") or given.get("personality"):
            within_limits(view.quota.limits(tx, who.project_id, who.user_id), given)
        target = server_target.resolve(request, tx, given, hints)
    if found:
        disks.check(found, flavor, given.get("imageRef"), high)
    image = (None if server_volumes.on_volume(found)
             else _find_image(request, given, flavor))
    volumes = server_volumes.look(request, found, flavor, target.zone)
    template = _template(request, given, flavor, image, target, hints)
    asked = Asked(
        records=tuple(_numbered(request, template, given, number, high)
                      for number in range(high)),
        request=boot.BootRequest(
            key=key, forced_host=target.forced_host, only_hosts=target.only,
            avoid_hosts=target.avoid, group=target.group, networks="none",
            attached=attached, created_with=f"2.{request.version}"),
        secrets=boot.Secrets(
            admin_password=password, user_data=given.get("user_data"),
            files=tuple((file["path"], file["contents"])
                        for file in given.get("personality", ()))),
        origin=request.origin, minimum=low)
    return asked, password, volumes


def fresh_password() -> str:
    """One that nobody chose."""
    return "".join(secrets.choice(_PASSWORD) for _ in range(12))


def find_flavor(request: typing.Any, tx: typing.Any, given: dict,
                disabled: str | None = None) -> model.Flavor:
    """The flavor that ``flavorRef`` names, if the asker may use it; ``Invalid`` if not.
    ``disabled``: the id of one that may be used all the same."""
    reference = str(given["flavorRef"]).rpartition("/")[2]
    project = None if request.admin else request.context.project_id or ""
    try:
        flavor = request.services.view.flavors.get(tx, reference, project)
    except errors.NotFound as problem:
        raise errors.Invalid(problem.message) from None
    if flavor.disabled and flavor.id != disabled:
        raise errors.Invalid(f"Flavor {reference} could not be found.")
    return flavor


def find_key(request: typing.Any, tx: typing.Any, given: dict) -> boot.Key | None:
    """The key that ``key_name`` names, of the asker; ``Invalid`` if there is none."""
    if given.get("key_name") is None:
        return None
    try:
        pair = request.services.view.keypairs.get(tx, request.context.user_id, given["key_name"])
    except errors.NotFound:
        raise errors.Invalid("Invalid key_name provided.") from None
    return boot.Key(name=pair.name, kind=pair.kind, data=pair.public_key)


def within_limits(limits: dict[str, int], given: dict) -> None:
    """Raise ``OverLimit`` for more metadata or larger files than the quota allows."""
    def over(resource: str, amount: int) -> bool:
        return 0 <= limits.get(resource, -1) < amount
    if over("metadata_items", len(given.get("metadata", {}))):
        raise errors.OverLimit(f"Maximum number of metadata items exceeds "
                               f"{limits['metadata_items']}")
    files = given.get("personality", ())
    if over("injected_files", len(files)):
        raise errors.OverLimit("Personality file limit exceeded")
    for file in files:
        if over("injected_file_path_bytes", len(file["path"].encode())):
            raise errors.OverLimit(f"Personality file path exceeds maximum "
                                   f"{limits['injected_file_path_bytes']}")
        if over("injected_file_content_bytes", len(base64.b64decode(file["contents"]))):
            raise errors.OverLimit(f"Personality file content exceeds maximum "
                                   f"{limits['injected_file_content_bytes']}")


def _find_image(request: typing.Any, given: dict, flavor: model.Flavor) -> model.ImageFacts:
    reference = given["imageRef"]
    try:
        image = request.services.images.facts(reference, request.context.auth_token)
    except errors.NotFound:
        raise errors.Invalid("Can not find requested image") from None
    except errors.Conflict as problem:
        raise errors.Invalid(problem.message) from None
    fits(request, image, flavor)
    return image


def fits(request: typing.Any, image: model.ImageFacts, flavor: model.Flavor) -> None:
    """Raise what the user shall hear unless a server of this flavor can run this image."""
    if image.min_ram > flavor.ram_mb:
        raise errors.Invalid("Flavor's memory is too small for requested image.")
    if not flavor.disk_gb:
        request.authorize("os_compute_api:servers:create:zero_disk_flavor")
    elif image.size > flavor.disk_gb * GIB:
        raise errors.Invalid(
            f"Flavor's disk is too small for requested image. Flavor disk is "
            f"{flavor.disk_gb * GIB} bytes, image is {image.size} bytes.")
    elif image.min_disk > flavor.disk_gb:
        raise errors.Invalid(
            f"Flavor's disk is smaller than the minimum size specified in image metadata. Flavor "
            f"disk is {flavor.disk_gb * GIB} bytes, minimum size is {image.min_disk * GIB} bytes.")


# -- records --------------------------------------------------------------------------------------

def _template(request: typing.Any, given: dict, flavor: model.Flavor,
              image: model.ImageFacts | None, target: server_target.Target,
              hints: dict) -> model.Server:
    """What all servers of the request share."""
    who = request.context
    certificates = given.get("trusted_image_certificates")
    if certificates is not None:
        request.authorize("os_compute_api:servers:create:trusted_certs")
        raise errors.Unsupported("Image signatures are not verified in this deployment "
                                 "(capability: trusted_certs).")
    return model.Server(
        uuid="", project_id=who.project_id, user_id=who.user_id, epoch=1, version=0,
        name=given["name"].strip(), description=given.get("description"), flavor=flavor,
        image=image, key_name=given.get("key_name"), metadata=given.get("metadata", {}),
        tags=tags.kept(given.get("tags", ())), access_ip_v4=given.get("accessIPv4"),
        access_ip_v6=formats.address(given.get("accessIPv6")),
        disk_config=given.get("OS-DCF:diskConfig", "MANUAL"),
        config_drive=shapes.truth(given.get("config_drive") or False),
        hints=server_target.shown(hints), availability_zone=target.zone,
        pinned_availability_zone=target.zone, has_user_data=bool(given.get("user_data")),
        security_groups=tuple(dict.fromkeys(
            group.get("name", "default") for group in given.get("security_groups", ())
        )) or ("default",),
        reservation_id="r-" + "".join(secrets.choice(string.ascii_lowercase + string.digits)
                                      for _ in range(8)),
        created_at=request.services.now())


def _numbered(request: typing.Any, template: model.Server, given: dict, number: int,
              count: int) -> model.Server:
    """One of them: names get a number when there are several."""
    uuid = request.services.ids.uuid()
    end = f"-{number + 1}" if count > 1 else ""
    name = template.name + end
    wanted = given.get("hostname")
    return model.replace(template, uuid=uuid, launch_index=number, name=name,
                         hostname=wanted + end if wanted else hostname(name, uuid))


def hostname(name: str, uuid: str) -> str:
    """A name that a guest can have: letters, digits, dots and hyphens of the server's name."""
    plain = re.sub(r"[ _]", "-", name).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9.-]+", "", plain).strip(".-")[:63].strip(".-")
    return plain or f"server-{uuid}"

