# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Snapshots that the volume service asks the hypervisor to take of a volume in use.

The order goes to the host of the server that has the volume; the host tells the volume service how
it went.  Source: the public api-ref, "Assisted volume snapshots".
"""

import json
import typing

from nova_cells.api import found, policy, shapes, volume_events
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Query, Shape, optional
from nova_cells.domain import errors

PREFIX = "os_compute_api:os-assisted-volume-snapshots"
_PATH = "/os-assisted-volume-snapshots"

RULES = (
    policy.rule(f"{PREFIX}:create", policy.SERVICE, "Have the hypervisor take a snapshot of a "
                "volume; for the volume service.", f"POST {_PATH}"),
    policy.rule(f"{PREFIX}:delete", policy.SERVICE, "Have the hypervisor merge one away.",
                f"DELETE {_PATH}/{{snapshot_id}}"),
)


def create(request: typing.Any) -> dict[str, typing.Any]:
    """Take one."""
    given = request.body["snapshot"]
    info = given["create_info"]
    _order(request, given["volume_id"], "snapshot_volume", info)
    return {"snapshot": {"id": info.get("id"), "volumeId": given["volume_id"]}}


def delete(request: typing.Any) -> None:
    """Merge one away."""
    try:
        info = json.loads(request.param("delete_info") or "")
        volume = info["volume_id"]
    except (ValueError, TypeError, KeyError):
        raise errors.Invalid("delete_info must be JSON that names a volume_id") from None
    if not isinstance(volume, str):
        raise errors.Invalid("delete_info must be JSON that names a volume_id")
    words = {str(key): str(value) for key, value in info.items() if value is not None}
    _order(request, volume, "drop_volume_snapshot",
           {**words, "snapshot_id": request.args["snapshot"]})


def _order(request: typing.Any, volume: str, verb: str, info: dict[str, str]) -> None:
    """All that stands against it is 400 here (api-ref)."""
    try:
        row, one = volume_events.holder(request, volume)
        record = found.unpack(row.record)
        if verb == "drop_volume_snapshot" and "merge_target_file" in info \
                and record.rest != "active":
            raise errors.Invalid(f"Cannot 'volume_snapshot_delete' instance {row.uuid} while it "
                                 f"is {record.rest}")
        volume_events.order(request, row, one, verb, info)
    except errors.Conflict as problem:
        raise errors.Invalid(problem.message) from None


_create = Shape(snapshot=Shape(volume_id=shapes.string(1), create_info=Shape(
    {"type": shapes.one_of("qcow2")}, snapshot_id=shapes.string(1), new_file=shapes.string(1),
    id=optional(shapes.string(1)))))

ACTIONS = (
    Action("assisted:create", "POST", _PATH, "refuse", policy=f"{PREFIX}:create", handler=create,
           body=_create),
    Action("assisted:delete", "DELETE", f"{_PATH}/{{snapshot}}", "refuse",
           policy=f"{PREFIX}:delete", handler=delete, success=204,
           query=Query({"delete_info": optional(shapes.string())}, strict="2.75")),
)
