# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Notifications: what other services are told of a server, made from records alone.

Named and shaped as the versioned notifications of the Compute API (``instance.update``,
``instance.<action>.start|end|error``; public documentation "Notifications in Nova"), so that their
consumers work.  They are facts, not deltas: each holds the server whole, and its (uuid, epoch,
version), by which a repeat or one that was overtaken is told.  Records coalesce, so a state that
lasted only a moment may have none of its own.  Never holds what is secret: nothing but the record
is known here.
"""

import typing

from nova_cells.domain import commands, lifecycle
from nova_cells.domain import server as model
from nova_cells.domain.rendering import short_time

Json = dict[str, typing.Any]

#: Instance action -> the word in an event's type, where they differ.
_WORDS = {
    "reboot": "reboot", "start": "power_on", "stop": "power_off", "confirmResize": "resize_confirm",
    "revertResize": "resize_revert", "softDelete": "soft_delete", "forceDelete": "delete",
    "createImage": "snapshot", "createBackup": "snapshot", "changePassword": "change_password",
    "live-migration": "live_migration", "evacuate": "evacuate", "shelveOffload": "shelve_offload",
    "migrate": "resize", "attach_interface": "interface_attach",
    "detach_interface": "interface_detach", "attach_volume": "volume_attach",
    "detach_volume": "volume_detach", "swap_volume": "volume_swap",
    "trigger_crash_dump": "trigger_crash_dump",
}


def word(action: str) -> str:
    """``instance.<word>.start``: the word for an instance action."""
    return _WORDS.get(action, action.replace("-", "_"))


def updated(server: model.Server) -> tuple[str, Json]:
    """A record was taken in."""
    return "instance.update", _wrapped("InstanceUpdatePayload", "2.1", payload(server))


def acted(action: commands.ActionRecord, server: model.Server) -> tuple[str, Json]:
    """An operation on a server began, ended or failed."""
    ended = any(event.finish is not None for event in action.events)
    failed = action.message is not None or any(
        event.result == "Error" for event in action.events)
    phase = "error" if failed else "end" if ended or action.message else "start"
    shown = payload(server)
    shown |= {"action_initiator_user": action.user_id,
              "action_initiator_project": action.project_id, "request_id": action.request_id,
              "nova_cells_operation": action.uuid,
              "fault": _fault(server, action) if failed else None}
    return (f"instance.{word(action.action)}.{phase}",
            _wrapped("InstanceActionPayload", "1.9", shown))


def payload(server: model.Server) -> Json:
    """The server, as every notification has it."""
    image = server.image
    return {
        "uuid": server.uuid, "tenant_id": server.project_id, "user_id": server.user_id,
        "nova_cells_epoch": server.epoch, "nova_cells_version": server.version,
        "nova_cells_cell": server.cell,
        "display_name": server.name, "display_description": server.description,
        "host_name": server.hostname, "host": server.host, "node": server.node,
        "availability_zone": server.availability_zone,
        "state": lifecycle.vm_state(server), "task_state": lifecycle.task_state(server),
        "power_state": _POWER.get(server.power_state, "pending"), "progress": server.progress,
        "image_uuid": image.id if image else "",
        "kernel_id": image.properties.get("kernel_id", "") if image else "",
        "ramdisk_id": image.properties.get("ramdisk_id", "") if image else "",
        "os_type": image.properties.get("os_type") if image else None,
        "architecture": image.properties.get("architecture") if image else None,
        "flavor": _flavor(server.flavor), "metadata": dict(server.metadata),
        "tags": list(server.tags), "locked": server.locked,
        "locked_reason": server.locked_reason, "key_name": server.key_name,
        "auto_disk_config": server.disk_config,
        "reservation_id": server.reservation_id,
        "created_at": short_time(server.created_at), "updated_at": short_time(server.updated_at),
        "launched_at": short_time(server.launched_at),
        "terminated_at": short_time(server.terminated_at),
        "deleted_at": short_time(server.deleted_at),
        "ip_addresses": [_wrapped("IpPayload", "1.0", {
            "label": one.network, "address": one.ip, "version": one.version, "mac": one.mac,
            "port_uuid": one.port_id, "device_name": None, "meta": {}})
            for one in server.addresses if one.kind == "fixed"],
        "block_devices": [_wrapped("BlockDevicePayload", "1.0", {
            "volume_id": one.volume_id, "device_name": one.device,
            "delete_on_termination": one.delete_on_termination, "boot_index": None,
            "tag": None}) for one in server.attachments],
    }


_POWER = {0: "pending", 1: "running", 3: "paused", 4: "shutdown", 6: "crashed", 7: "suspended"}


def _flavor(flavor: model.Flavor) -> Json:
    return _wrapped("FlavorPayload", "1.4", {
        "flavorid": flavor.id, "name": flavor.name, "memory_mb": flavor.ram_mb,
        "vcpus": flavor.vcpus, "root_gb": flavor.disk_gb, "ephemeral_gb": flavor.ephemeral_gb,
        "swap": flavor.swap_mb, "rxtx_factor": flavor.rxtx_factor, "vcpu_weight": 0,
        "disabled": flavor.disabled, "is_public": flavor.public,
        "extra_specs": dict(flavor.extra_specs), "projects": None,
        "description": flavor.description})


def _fault(server: model.Server, action: commands.ActionRecord) -> Json:
    """Why it failed, as far as its owner may know."""
    said = next((event.details for event in reversed(action.events) if event.details), None)
    message = said or (server.fault.message if server.fault else "")
    return _wrapped("ExceptionPayload", "1.1", {
        "module_name": "nova_cells", "function_name": action.action, "exception": "Problem",
        "exception_message": message, "traceback": ""})


def _wrapped(name: str, version: str, data: Json) -> Json:
    return {"nova_object.name": name, "nova_object.namespace": "nova",
            "nova_object.version": version, "nova_object.data": data}
