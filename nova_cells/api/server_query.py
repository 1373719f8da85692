# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The query of a list of servers: which parameters there are, who may use them, what they mean.

Source: the public api-ref, "List servers".  Turns text into a ``listing.Query``; touches no
database.  A filter that can match nothing raises ``Nothing``: the list is empty, not wrong.
"""

import math
import typing

from nova_cells.api import formats, paging, shapes
from nova_cells.api.shapes import Query, optional
from nova_cells.db.view import listing
from nova_cells.domain import errors

ALL_FILTERS = "os_compute_api:servers:allow_all_filters"
STATUSES = frozenset((
    "ACTIVE", "BUILD", "DELETED", "ERROR", "HARD_REBOOT", "MIGRATING", "PASSWORD", "PAUSED",
    "REBOOT", "REBUILD", "RESCUE", "RESIZE", "REVERT_RESIZE", "SHELVED", "SHELVED_OFFLOADED",
    "SHUTOFF", "SOFT_DELETED", "SUSPENDED", "UNKNOWN", "VERIFY_RESIZE"))
_POWER = {"nostate": 0, "running": 1, "paused": 3, "shutdown": 4, "crashed": 6, "suspended": 7}
_IGNORED_SORTS = ("kernel_id", "ramdisk_id", "block_device_mapping", "extra", "info_cache",
                  "metadata", "pci_devices", "security_groups", "services", "system_metadata")
_SORTS = [*listing.SORTS, *_IGNORED_SORTS]
_LATER_SORTS = ("locked",)
_TEXT = ("all_tenants", "availability_zone", "config_drive", "created_at", "deleted",
         "description", "display_description", "display_name", "flavor", "host", "hostname",
         "image", "image_ref", "instance_name", "instance_type_id", "kernel_id", "key_name",
         "launch_index", "launched_at", "locked_by", "node", "power_state", "progress",
         "project_id", "ramdisk_id", "reservation_id", "root_device_name", "soft_deleted",
         "status", "task_state", "tenant_id", "terminated_at", "updated_at", "user_id", "uuid",
         "vm_state", "access_ip_v4", "access_ip_v6", "auto_disk_config", "disk_config")
#: What Nova keeps in other tables: known, and no filter for those who may use all of them.
_JOINED = ("block_device_mapping", "services", "metadata", "system_metadata", "info_cache",
           "security_groups", "pci_devices")
_text = optional(shapes.string(high=1024))
_regex = optional(shapes.string(high=255, format="regex"))
_time = optional(shapes.string(format="date-time"))

QUERY = Query(
    dict.fromkeys((*_TEXT, *_JOINED), _text) | {"changes-since": _time} | paging.PARAMETERS,
    strict="2.75", name=_regex, ip=_regex, ip6=_regex,
    sort_key=optional(shapes.one_of(*(key for key in _SORTS if key not in _LATER_SORTS))),
    sort_dir=optional(shapes.one_of("asc", "desc")),
).since("2.26", dict.fromkeys(("tags", "tags-any", "not-tags", "not-tags-any"), _text),
        ).since("2.66", {"changes-before": _time},
                ).since("2.73", locked=_text, sort_key=optional(shapes.one_of(*_SORTS)))

_EVERYBODY = {"reservation_id": 1, "name": 1, "display_name": 1, "status": 1, "image": 1,
              "flavor": 1, "ip": 1, "changes-since": 1, "all_tenants": 1, "ip6": 5, "tags": 26,
              "tags-any": 26, "not-tags": 26, "not-tags-any": 26, "changes-before": 66,
              "locked": 73, "availability_zone": 83, "config_drive": 83, "key_name": 83,
              "created_at": 83, "launched_at": 83, "terminated_at": 83, "power_state": 83,
              "task_state": 83, "vm_state": 83, "progress": 83, "user_id": 83, "hostname": 90}
_RENAMED = {"image": "image_ref", "flavor": "flavor_id", "tenant_id": "project_id",
            "auto_disk_config": "disk_config"}
_BOOLEAN = ("config_drive", "soft_deleted")
_NUMBERS = ("launch_index", "progress")
_PAGING = ("limit", "marker", "sort_key", "sort_dir")


class Nothing(Exception):
    """No server can match."""


def read(request: typing.Any, listed: str) -> listing.Query:
    """What a request asks for.  ``listed``: "index" or "detail", for policy."""
    given = {name: values for name, values in request.query.items() if name not in _PAGING}
    if not request.allows(ALL_FILTERS):
        given = {name: values for name, values in given.items()
                 if _EVERYBODY.get(name, math.inf) <= request.version}
    for name in given:
        if name in _JOINED:
            raise errors.Invalid(f"Invalid filter field: {name}.")
    asked: dict[str, typing.Any] = {
        "limit": paging.limit(request), "marker": request.param("marker"),
        "sorts": _sorts(request), "equal": {}, "matched": {}, "moments": {},
        "window": request.services.conf.api.changes_since_window}
    _tenants(request, given, listed, asked)
    _times(given, asked)
    _status(request, given, asked)
    _lifetime(request, given, asked)
    _others(given, asked)
    return listing.Query(**asked)


def _last(given: dict[str, list[str]], name: str) -> str | None:
    values = given.pop(name, None)
    return values[-1] if values else None


def _truth(text: str, name: str) -> bool:
    if text in shapes.TRUE_WORDS:
        return True
    if text in shapes.FALSE_WORDS:
        return False
    raise errors.Invalid(f"Unrecognized value '{text[:64]}' for {name}; say true or false.")


def _tenants(request: typing.Any, given: dict, listed: str, asked: dict) -> None:
    """Own project only, unless all were asked for and policy allows it; only then does a project
    that is named count."""
    named = given.pop("tenant_id", None) or given.pop("project_id", None)
    given.pop("project_id", None)
    word = _last(given, "all_tenants")
    everyone = word is not None and (word == "" or _truth(word, "all_tenants"))
    if not everyone:
        asked["equal"]["project_id"] = [request.context.project_id]
        return
    request.authorize(f"os_compute_api:servers:{listed}:get_all_tenants")
    if named:
        asked["equal"]["project_id"] = [named[-1]]


def _times(given: dict, asked: dict) -> None:
    for name, field in (("changes-since", "since"), ("changes-before", "before")):
        text = _last(given, name)
        if text is not None:
            asked[field] = formats.parse_time(text)
    if asked.get("since") and asked.get("before") and asked["since"] > asked["before"]:
        raise errors.Invalid("The value of changes-since must be less than or equal to "
                             "changes-before.")
    for name in ("created_at", "updated_at", "launched_at", "terminated_at"):
        text = _last(given, name)
        if text is not None:
            moment = formats.parse_time(text)
            if moment is None:
                raise Nothing
            asked["moments"][name] = moment


def _status(request: typing.Any, given: dict, asked: dict) -> None:
    values = [value.upper() for value in given.pop("status", []) if value]
    if not values:
        return
    known = [value for value in values if value in STATUSES]
    if not known:
        if request.version >= 38:
            raise errors.Invalid("Invalid status value")
        raise Nothing
    asked["equal"]["status"] = known
    if known == ["DELETED"]:
        if not request.admin:
            raise errors.Refused("Only administrators may list deleted instances")
        given["deleted"] = ["true"]


def _lifetime(request: typing.Any, given: dict, asked: dict) -> None:
    """Deleted servers are shown when asked for, or when changes are."""
    word = _last(given, "deleted")
    if word is not None:
        asked["deleted"] = word in shapes.TRUE_WORDS
    elif "since" in asked or "before" in asked:
        asked["deleted"] = None
    if given.get("vm_state") == ["deleted"]:
        if not request.admin:
            raise errors.Refused("Only administrators may list deleted instances")
        asked["deleted"] = True


def _others(given: dict, asked: dict) -> None:
    for name in ("name", "display_name", "description", "display_description"):
        text = _last(given, name)
        if text:
            asked["matched"][name.removeprefix("display_")] = text
    for name in ("ip", "ip6"):
        text = _last(given, name)
        if text:
            asked[name] = text
    for name in ("tags", "tags-any", "not-tags", "not-tags-any"):
        text = _last(given, name)
        if text:
            asked[name.replace("-", "_")] = tuple(tag for tag in text.split(",") if tag)
    word = _last(given, "locked")
    if word is not None:
        asked["equal"]["locked"] = [_truth(word, "locked")]
    for name, values in given.items():
        column = _RENAMED.get(name, name)
        if column in listing.EQUAL:
            asked["equal"][column] = [_typed(column, values[-1])]


def _typed(column: str, text: str) -> typing.Any:
    """A value of the column's type."""
    if column in _BOOLEAN:
        return text in shapes.TRUE_WORDS
    if column == "power_state":
        text = str(_POWER.get(text.lower(), text))
    if column == "power_state" or column in _NUMBERS:
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise Nothing
        return int(text)
    if column in ("task_state", "vm_state") and text.lower() in ("none", "null"):
        return ""
    return text


def _sorts(request: typing.Any) -> tuple[tuple[str, bool], ...]:
    keys, ways = request.query.get("sort_key", []), request.query.get("sort_dir", [])
    if len(ways) > len(keys) and keys:
        raise errors.Invalid("Sort direction size exceeds sort key size")
    if not request.admin and {"host", "node"} & set(keys):
        raise errors.Refused("Only administrators can sort servers by "
                             + ", ".join(sorted({"host", "node"} & set(keys))))
    if not keys:
        return (("created_at", ways[0] != "asc" if ways else True),)
    rest = ways[0] != "asc" if ways else True        # what is not said goes as the first
    directions = [way != "asc" for way in ways] + [rest] * (len(keys) - len(ways))
    kept = tuple((key, way) for key, way in zip(keys, directions, strict=True)
                 if key in listing.SORTS)
    return kept or (("created_at", True),)
