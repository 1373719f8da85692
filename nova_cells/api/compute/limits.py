# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Limits: what a project may have and what it has, under the names that clients show."""

import typing

from nova_cells.api import microversion, policy, shapes
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Query, optional

RULES = (
    policy.rule("os_compute_api:limits", policy.ANYONE, "Show one's own limits", "GET /limits"),
    policy.rule("os_compute_api:limits:other_project", policy.ADMIN,
                "Show another project's limits", "GET /limits"),
)

#: Shown name, resource, and the last version that shows it.
_MAXIMA = (
    ("maxTotalInstances", "instances", None), ("maxTotalCores", "cores", None),
    ("maxTotalRAMSize", "ram", None), ("maxTotalKeypairs", "key_pairs", None),
    ("maxServerMeta", "metadata_items", None), ("maxServerGroups", "server_groups", None),
    ("maxServerGroupMembers", "server_group_members", None),
    ("maxImageMeta", "metadata_items", "2.38"), ("maxPersonality", "injected_files", "2.56"),
    ("maxPersonalitySize", "injected_file_content_bytes", "2.56"),
    ("maxTotalFloatingIps", "floating_ips", "2.35"),
    ("maxSecurityGroups", "security_groups", "2.35"),
    ("maxSecurityGroupRules", "security_group_rules", "2.35"),
)
_USED = (
    ("totalInstancesUsed", "instances", None), ("totalCoresUsed", "cores", None),
    ("totalRAMUsed", "ram", None), ("totalServerGroupsUsed", "server_groups", None),
    ("totalFloatingIpsUsed", "floating_ips", "2.35"),
    ("totalSecurityGroupsUsed", "security_groups", "2.35"),
)


def _shown(last: str | None, version: int) -> bool:
    return last is None or version <= microversion.minor(last)


def show(request: typing.Any) -> dict[str, typing.Any]:
    """The limits and the usage of the asker's project, or of another if policy allows that.

    With ``reserved`` what operations under way hold is counted as used.
    """
    project = request.param("tenant_id")
    if project is None:
        project = request.context.project_id or ""
    else:
        request.authorize("os_compute_api:limits:other_project",
                          {"project_id": project, "user_id": request.context.user_id})
    quota = request.services.view.quota
    with request.services.view.read() as tx:
        limits, usage = quota.project_limits(tx, project), quota.usage(tx, project)
    held = request.param("reserved") not in (None, *shapes.FALSE_WORDS)
    absolute = {name: limits[resource] for name, resource, last in _MAXIMA
                if _shown(last, request.version)}
    absolute |= {name: usage[resource].total if held else usage[resource].in_use
                 for name, resource, last in _USED if _shown(last, request.version)}
    return {"limits": {"rate": [], "absolute": absolute}}


ACTIONS = (
    Action("limits:show", "GET", "/limits", "serve", policy="os_compute_api:limits", handler=show,
           query=Query(strict="2.75", tenant_id=optional(shapes.string()),
                       reserved=optional(shapes.string()))),
)
