"""What each verb does on a host: flows and single moves, all repeatable."""

import base64
import typing

from nova_cells.compute import (
    evacuate,
    flow,
    imaging,
    inplace,
    live_migrate,
    moving,
    ports,
    shelving,
    volumes,
    work,
)
from nova_cells.domain import boot, lifecycle, tasks
from nova_cells.domain import server as model
from nova_cells.virt import protocol

PATIENCE = 60.0                  # seconds for a guest to go down by itself


def spec(task: tasks.Task, secrets: boot.Secrets) -> protocol.GuestSpec:
    """What the driver needs, from what the task carries; its secrets opened."""
    request = task.request or boot.BootRequest()
    return protocol.GuestSpec(
        server=task.record, epoch=task.epoch, ticket=task.ticket, name=guest_name(task.record),
        metadata=metadata(task.record, request, secrets),
        user_data=_bytes(secrets.user_data), network_data={"links": [], "networks": [],
                                                           "services": []},
        files=tuple((path, _bytes(data) or b"") for path, data in secrets.files))


def guest_name(server: model.Server) -> str:
    """The hypervisor's name for it: unique, and found by the server's uuid."""
    return f"instance-{server.uuid}"


def metadata(server: model.Server, request: boot.BootRequest, secrets: boot.Secrets) -> dict:
    """``openstack/latest/meta_data.json`` (public metadata service documentation)."""
    document: dict = {
        "uuid": server.uuid, "name": server.name, "hostname": server.hostname or server.name,
        "launch_index": server.launch_index, "project_id": server.project_id,
        "availability_zone": server.availability_zone, "meta": server.metadata, "devices": []}
    if request.key is not None:
        document["public_keys"] = {request.key.name: request.key.data}
        document["keys"] = [{"name": request.key.name, "type": request.key.kind,
                             "data": request.key.data}]
    if secrets.admin_password:
        document["admin_pass"] = secrets.admin_password
    if secrets.files:
        document["files"] = [{"path": path, "content_path": f"/content/{number:04d}"}
                             for number, (path, _data) in enumerate(secrets.files)]
    return document


def _bytes(text: str | None) -> bytes | None:
    return base64.b64decode(text) if text else None


# -- boot ---------------------------------------------------------------------------------------

def boot_flow(driver: protocol.Driver) -> flow.Flow:
    """Making a guest: each step with its way back."""
    uuid = lambda s: s.server.uuid  # noqa: E731
    return flow.Flow("boot", (
        flow.Step("fetch_image", driver.fetch_image, flow.keep),
        flow.Step("create_disk", driver.create_disk, lambda s: driver.remove_disk(uuid(s))),
        flow.Step("write_config_drive", driver.write_config_drive,
                  lambda s: driver.remove_config_drive(uuid(s))),
        flow.Step("define", driver.define, lambda s: driver.undefine(uuid(s))),
        flow.Step("start", lambda s: driver.start(uuid(s)),
                  lambda s: driver.stop(uuid(s), 0)),
    ))


def boot_(doing: work.Work) -> dict[str, str]:
    """Make the guest and start it."""
    made, nics = doing.spec(), ports.Nics(doing)
    steps = boot_flow(doing.driver)
    steps = flow.Flow(steps.name, nics.around(steps.steps))
    doing.run(volumes.around(doing, steps), made)
    doing.attached.extend(nics.told())
    return {"instance_name": made.name, "root_device_name": "/dev/vda",
            "node": doing.driver.facts().hostname}


#: Verbs that are more than one call with a uuid: verb -> what carries it out.
WORKS: dict[str, work.Doing] = {
    "boot": boot_,
    **inplace.WORKS,
    "snapshot": imaging.snapshot,
    "backup": imaging.backup,
    "shelve": shelving.shelve,
    "shelve_offload": shelving.shelve_offload,
    "unshelve": shelving.unshelve,
    "live_migrate": live_migrate.live_migrate,
    "evacuate": evacuate.evacuate,
    "resize": moving.resize,
    "migrate": moving.resize,
    "confirm_resize": moving.confirm,
    "revert_resize": moving.revert,
}


def steer(driver: typing.Any, doing: tasks.Task, task: tasks.Task) -> None:
    """While one task is under way, it came again, or another for the same server."""
    if doing.verb == "live_migrate":
        live_migrate.steer(driver, doing, task)


# -- the other verbs ------------------------------------------------------------------------------

def reboot(driver: protocol.Driver, uuid: str) -> None:
    """Soft: ask the guest; switch it off and on if it does not."""
    if not driver.reboot(uuid, PATIENCE):
        driver.reset(uuid)


MOVES = {
    "start": lambda driver, uuid: driver.start(uuid),
    "stop": lambda driver, uuid: driver.stop(uuid, PATIENCE),
    "reboot": reboot,
    "reboot_hard": lambda driver, uuid: driver.reset(uuid),
    "pause": lambda driver, uuid: driver.pause(uuid),
    "unpause": lambda driver, uuid: driver.unpause(uuid),
    "suspend": lambda driver, uuid: driver.suspend(uuid),
    "resume": lambda driver, uuid: driver.resume(uuid),
}

#: Verbs whose move may not be taken twice for one ticket; a repeat makes sure that it runs.
ONCE = frozenset({"reboot"})


def power(driver: protocol.Driver, uuid: str, verb: str) -> int | None:
    """What the guest's power is now, to be reported; the table's word where there is none."""
    guest = driver.guest(uuid)
    return guest.power if guest is not None else lifecycle.VERBS[verb].power
