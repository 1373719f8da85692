# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The server document, slowly and obviously: which keys, from which version, for whom.

This is the readable statement of what a server looks like at every microversion;
``domain.document`` is the fast form of it and must equal it.  Answers that are rare (an update)
are rendered by this module directly.  Source: the public Compute API reference.
"""

import datetime
import typing

from nova_cells.domain import lifecycle
from nova_cells.domain import server as model

Json = dict[str, typing.Any]
_PROGRESS = {"ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"}
_FAULTY = {"ERROR", "DELETED"}
NO_STATUS = ""


class Sight(typing.NamedTuple):
    """What policy lets the asker see."""

    admin: bool = False          # details of faults
    attributes: bool = False     # host, instance name and what belongs to them
    extra_specs: bool = True     # of the flavor
    host_status: str = ""        # "", "unknown-only" or "all"


class Place(typing.NamedTuple):
    """Where links lead, without a slash at the end: ``http://host/v2.1`` and ``http://host``."""

    versioned: str
    bare: str


class Volatile(typing.NamedTuple):
    """What a document shows that may change without its record."""

    host_status: str | None = NO_STATUS      # None: not to be shown
    user_data: str | None = None             # base64
    groups: tuple[str, ...] = ()


def short_time(seconds: float | None) -> str | None:
    """``2026-01-31T12:00:00Z``."""
    if seconds is None:
        return None
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def long_time(seconds: float | None) -> str | None:
    """``2026-01-31T12:00:00.000000``: UTC, unsaid, as the API has it in a few places."""
    if seconds is None:
        return None
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")


class Parts:
    """The keys of one server's document, in groups that appear together."""

    def __init__(self, server: model.Server) -> None:
        self.server = server
        self.status = lifecycle.status(server)

    def core(self, extended_addresses: bool) -> Json:
        """What every long form shows at every version."""
        server = self.server
        shown: Json = {
            "status": self.status, "tenant_id": server.project_id, "user_id": server.user_id,
            "metadata": server.metadata,
            "hostId": model.host_id(server.project_id, server.host),
            "created": short_time(server.created_at),
            "updated": short_time(server.updated_at or server.created_at),
            "addresses": self.addresses(extended_addresses),
            "accessIPv4": server.access_ip_v4 or "", "accessIPv6": server.access_ip_v6 or "",
            "OS-DCF:diskConfig": server.disk_config}
        if self.status in _PROGRESS:
            shown["progress"] = server.progress
        return shown

    def extended(self) -> Json:
        """What the long form shows everybody, except after an update below 2.75."""
        server = self.server
        shown: Json = {
            "OS-EXT-AZ:availability_zone": server.availability_zone or "",
            "OS-EXT-STS:task_state": lifecycle.task_state(server),
            "OS-EXT-STS:vm_state": lifecycle.vm_state(server),
            "OS-EXT-STS:power_state": server.power_state,
            "OS-SRV-USG:launched_at": long_time(server.launched_at),
            "OS-SRV-USG:terminated_at": long_time(server.terminated_at),
            "config_drive": "True" if server.config_drive else "",
            "key_name": server.key_name}
        if server.security_groups:
            shown["security_groups"] = [{"name": name} for name in server.security_groups]
        return shown

    def common(self) -> Json:
        """``core`` and ``extended``: the long form below all cuts."""
        return {**self.core(extended_addresses=True), **self.extended()}

    def addresses(self, extended: bool) -> Json:
        """Addresses by network label."""
        networks: Json = {}
        for address in self.server.addresses:
            entry: Json = {"version": address.version, "addr": address.ip}
            if extended:
                entry["OS-EXT-IPS:type"] = address.kind
                entry["OS-EXT-IPS-MAC:mac_addr"] = address.mac
            networks.setdefault(address.network, []).append(entry)
        return networks

    def fault(self, admin: bool) -> Json:
        """Why it is in error; details for admins, or when the fault is not ours."""
        fault = self.server.fault
        if fault is None or self.status not in _FAULTY:
            return {}
        shown: Json = {"code": fault.code, "created": short_time(fault.created_at),
                       "message": fault.message}
        if fault.details and (admin or fault.code != 500):
            shown["details"] = fault.details
        return {"fault": shown}

    def volumes(self, version: int) -> Json:
        """Attached volumes."""
        entries: list[Json] = []
        for attachment in self.server.attachments:
            entry: Json = {"id": attachment.volume_id}
            if version >= 3:
                entry["delete_on_termination"] = attachment.delete_on_termination
            entries.append(entry)
        return {"os-extended-volumes:volumes_attached": entries}

    def image(self, version: int, place: Place) -> Json | str:
        """The image, or nothing for a server that boots from a volume."""
        image = self.server.image
        if image is None:
            return ""
        shown: Json = {"id": image.id, "links": [
            {"rel": "bookmark", "href": f"{place.bare}/images/{image.id}"}]}
        if version >= 98:
            shown["properties"] = self.image_properties()
        return shown

    def image_properties(self) -> Json:
        """The properties that the image had."""
        return self.server.image.properties if self.server.image else {}

    def flavor(self, version: int, sight: Sight, place: Place) -> Json:
        """A link to the flavor; from 2.47 the flavor itself, as it was."""
        if version >= 47:
            return self.flavor_inside(sight.extra_specs)
        identifier = self.server.flavor.id
        return {"id": identifier, "links": [
            {"rel": "bookmark", "href": f"{place.bare}/flavors/{identifier}"}]}

    def flavor_inside(self, specs: bool) -> Json:
        """The embedded flavor."""
        flavor = self.server.flavor
        shown: Json = {"vcpus": flavor.vcpus, "ram": flavor.ram_mb, "disk": flavor.disk_gb,
                       "ephemeral": flavor.ephemeral_gb, "swap": flavor.swap_mb,
                       "original_name": flavor.name}
        if specs:
            shown["extra_specs"] = flavor.extra_specs
        return shown

    def admin(self, version: int) -> Json:
        """Where it is (2.1), and what 2.3 added."""
        server = self.server
        if version < 3:
            return {"OS-EXT-SRV-ATTR:host": server.host,
                    "OS-EXT-SRV-ATTR:hypervisor_hostname": server.node,
                    "OS-EXT-SRV-ATTR:instance_name": server.instance_name or ""}
        properties = self.image_properties()
        return {"OS-EXT-SRV-ATTR:reservation_id": server.reservation_id,
                "OS-EXT-SRV-ATTR:launch_index": server.launch_index,
                "OS-EXT-SRV-ATTR:kernel_id": properties.get("kernel_id", ""),
                "OS-EXT-SRV-ATTR:ramdisk_id": properties.get("ramdisk_id", ""),
                "OS-EXT-SRV-ATTR:root_device_name": server.root_device_name}

    def hostname(self) -> Json:
        """For admins from 2.3, for everybody from 2.90."""
        return {"OS-EXT-SRV-ATTR:hostname": self.server.hostname}

    def locked(self) -> Json:
        """From 2.9."""
        return {"locked": self.server.locked}

    def description(self) -> Json:
        """From 2.19."""
        return {"description": self.server.description}

    def tags(self) -> Json:
        """From 2.26."""
        return {"tags": list(self.server.tags)}

    def certificates(self) -> Json:
        """From 2.63."""
        certificates = self.server.trusted_certificates
        return {"trusted_image_certificates":
                None if certificates is None else list(certificates)}

    def locked_reason(self) -> Json:
        """From 2.73."""
        return {"locked_reason": self.server.locked_reason}

    def pinned_zone(self) -> Json:
        """From 2.96."""
        return {"pinned_availability_zone": self.server.pinned_availability_zone}

    def hints(self) -> Json:
        """From 2.100."""
        return {"scheduler_hints": self.server.hints}


def keys_shown(kind: str, version: int, sight: Sight) -> frozenset[str]:
    """Which of the keys that not everybody sees at every version are in a document.

    ``kind``: "show", "detail" (a list), "brief", or "update" (the answer to a change, which
    shows less below 2.75).
    """
    if kind == "brief":
        return frozenset()
    full = kind != "update" or version >= 75
    rows = (
        ("OS-EXT-SRV-ATTR:host", full and sight.attributes),
        ("OS-EXT-SRV-ATTR:launch_index", full and sight.attributes and version >= 3),
        ("OS-EXT-SRV-ATTR:user_data", full and sight.attributes and version >= 3),
        ("OS-EXT-SRV-ATTR:hostname",
         version >= 90 or (full and sight.attributes and version >= 3)),
        ("locked", version >= 9),
        ("host_status", full and version >= 16 and bool(sight.host_status)),
        ("description", version >= 19),
        ("tags", version >= 26),
        ("trusted_image_certificates", version >= 63),
        ("server_groups", version >= 71 and kind != "detail"),
        ("locked_reason", version >= 73),
        ("pinned_availability_zone", version >= 96),
        ("scheduler_hints", version >= 100))
    return frozenset(key for key, condition in rows if condition)


def render(server: model.Server, kind: str, version: int, sight: Sight, place: Place,
           volatile: Volatile = Volatile()) -> Json:  # noqa: B008
    """The whole document, key by key."""
    parts = Parts(server)
    links = [{"rel": "self", "href": f"{place.versioned}/servers/{server.uuid}"},
             {"rel": "bookmark", "href": f"{place.bare}/servers/{server.uuid}"}]
    document: Json = {"id": server.uuid, "name": server.name, "links": links}
    if kind == "brief":
        return document
    full = kind != "update" or version >= 75
    document |= parts.core(extended_addresses=full) | parts.fault(sight.admin)
    document["image"] = parts.image(version, place)
    document["flavor"] = parts.flavor(version, sight, place)
    if full:
        document |= parts.extended() | parts.volumes(version)
    optional = parts.admin(1) | parts.admin(3) | parts.hostname() | parts.locked()
    optional |= parts.description() | parts.tags() | parts.certificates() | parts.locked_reason()
    optional |= parts.pinned_zone() | parts.hints()
    optional["OS-EXT-SRV-ATTR:user_data"] = volatile.user_data
    optional["server_groups"] = list(volatile.groups)
    shown = keys_shown(kind, version, sight)
    if "host_status" in shown and volatile.host_status is not None:
        document["host_status"] = volatile.host_status
    return document | {key: value for key, value in optional.items() if _with(key) in shown}


_TOGETHER = {
    "OS-EXT-SRV-ATTR:hypervisor_hostname": "OS-EXT-SRV-ATTR:host",
    "OS-EXT-SRV-ATTR:instance_name": "OS-EXT-SRV-ATTR:host",
    "OS-EXT-SRV-ATTR:reservation_id": "OS-EXT-SRV-ATTR:launch_index",
    "OS-EXT-SRV-ATTR:kernel_id": "OS-EXT-SRV-ATTR:launch_index",
    "OS-EXT-SRV-ATTR:ramdisk_id": "OS-EXT-SRV-ATTR:launch_index",
    "OS-EXT-SRV-ATTR:root_device_name": "OS-EXT-SRV-ATTR:launch_index",
}


def _with(key: str) -> str:
    """The key that stands in ``keys_shown`` for this one."""
    return _TOGETHER.get(key, key)
