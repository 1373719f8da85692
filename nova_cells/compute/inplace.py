# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a host does to a guest in its place: rebuild, rescue, soft deletion, a word into it.

A guest that is rebuilt or rescued is as it was if that fails: its disk is set aside, not thrown
away, until the new one runs.  What happens inside a guest is done once for a ticket; a host that
was interrupted in it says so and does not guess.  Never logs a password.
"""

import collections.abc
import typing

from nova_cells.compute import flow, work
from nova_cells.domain import boot, errors, lifecycle
from nova_cells.domain import server as model

Facts = dict[str, str]
PATIENCE = 60.0                  # seconds for a guest to go down by itself


# -- rebuild --------------------------------------------------------------------------------------

def rebuild_flow(doing: work.Work) -> flow.Flow:
    """Making the guest anew from another image.  One way back serves all that was made: what was
    set aside comes back whole."""
    driver, uuid = doing.driver, doing.uuid
    ephemeral = doing.wanted.options.get("preserve_ephemeral") == "true"

    def anew(phase: int, step: collections.abc.Callable) -> collections.abc.Callable:
        def do(made: typing.Any) -> None:
            doing.progress(phase)
            step(made)
        return do

    stays_off = doing.task.record.rest == "stopped"
    return flow.Flow("rebuild", (
        flow.Step("fetch_image", driver.fetch_image, flow.keep),
        flow.Step("stop", lambda _made: _stop(doing), lambda _made: _go_on(doing)),
        flow.Step("set_aside", lambda _made: driver.set_aside(uuid, ephemeral, doing.task.ticket),
                  lambda _made: driver.bring_back(uuid)),
        flow.Step("create_disk", anew(1, driver.create_disk), flow.keep),
        flow.Step("write_config_drive", driver.write_config_drive, flow.keep),
        flow.Step("define", anew(2, driver.define), flow.keep),
        flow.Step("start", flow.keep if stays_off else lambda _made: driver.start(uuid),
                  lambda _made: _stop(doing)),
        flow.Step("drop_aside", lambda _made: driver.drop_aside(uuid), flow.keep)))


def rebuild(doing: work.Work) -> Facts:
    """Another image, the same place; one that was off stays off."""
    asked = doing.open(doing.wanted.secrets)
    made = doing.spec(boot.Secrets(admin_password=asked.admin_password, files=asked.files,
                                   user_data=doing.secrets.user_data))
    doing.run(rebuild_flow(doing), made)
    return {"instance_name": made.name}


# -- rescue ---------------------------------------------------------------------------------------

def rescue_flow(doing: work.Work) -> flow.Flow:
    """Running from another image, the guest's own disk beside it."""
    driver, uuid = doing.driver, doing.uuid
    return flow.Flow("rescue", (
        flow.Step("fetch_image", driver.fetch_image, flow.keep),
        flow.Step("stop", lambda _made: driver.stop(uuid, PATIENCE), lambda _made: _go_on(doing)),
        flow.Step("rescue", driver.rescue, lambda _made: driver.unrescue(uuid)),
        flow.Step("start", lambda _made: driver.start(uuid), lambda _made: driver.stop(uuid, 0))))


def rescue(doing: work.Work) -> Facts:
    """From the image that was named, or the server's own."""
    asked = doing.open(doing.wanted.secrets)
    made = doing.spec(boot.Secrets(admin_password=asked.admin_password,
                                   user_data=doing.secrets.user_data))
    if doing.wanted.image is not None:
        made = model.replace(made, server=model.replace(made.server, image=doing.wanted.image))
    doing.run(rescue_flow(doing), made)
    return {}


def unrescue_flow(doing: work.Work) -> flow.Flow:
    """Running from its own disk again.  No way back: what the rescue was from is gone then."""
    driver, uuid = doing.driver, doing.uuid
    return flow.Flow("unrescue", (
        flow.Step("stop", lambda: driver.stop(uuid, PATIENCE), flow.keep),
        flow.Step("unrescue", lambda: driver.unrescue(uuid), flow.keep),
        flow.Step("start", lambda: driver.start(uuid), flow.keep)))


def unrescue(doing: work.Work) -> Facts:
    """Its own disk again."""
    doing.run(unrescue_flow(doing))
    return {}


# -- soft deletion --------------------------------------------------------------------------------

def soft_delete(doing: work.Work) -> Facts:
    """Off at once, and kept; what has no guest any more is off, too."""
    doing.step("soft_delete")
    try:
        doing.driver.stop(doing.uuid, 0)
    except errors.NotFound:
        pass
    return {}


def restore(doing: work.Work) -> Facts:
    """It runs again, from its own disk even if it was being rescued."""
    doing.step("restore")
    if "rescue" in doing.driver.capabilities:
        doing.driver.unrescue(doing.uuid)
    doing.driver.start(doing.uuid)
    return {}


# -- into a guest ---------------------------------------------------------------------------------

def change_password(doing: work.Work) -> Facts:
    """The administrator's password, inside."""
    password = doing.open(doing.wanted.secrets).admin_password or ""
    _once(doing, "change_password")
    try:
        doing.driver.set_password(doing.uuid, password)
    except errors.Problem:
        raise
    except Exception:                    # whose words and frames may hold the password
        raise errors.HostTrouble("the hypervisor failed to set the password") from None
    return {}


def crash_dump(doing: work.Work) -> Facts:
    """What comes of it is the guest's own business."""
    _once(doing, "crash_dump")
    doing.driver.crash_dump(doing.uuid)
    return {}


def _once(doing: work.Work, step: str) -> None:
    doing.step(step)
    if not doing.first(step):
        raise errors.Conflict(f"the host was interrupted in the middle of {step.replace('_', ' ')}"
                              f": whether it was done is not known")


# -- shared ---------------------------------------------------------------------------------------

def _stop(doing: work.Work) -> None:
    """Off; a server in error may have no guest at all."""
    try:
        doing.driver.stop(doing.uuid, PATIENCE)
    except errors.NotFound:
        pass


def _go_on(doing: work.Work) -> None:
    """Way back of stopping a guest that ran."""
    if doing.task.record.power_state == lifecycle.RUNNING:
        doing.driver.start(doing.uuid)


#: Verb -> what carries it out.
WORKS: dict[str, work.Doing] = {
    "rebuild": rebuild, "rescue": rescue, "unrescue": unrescue, "soft_delete": soft_delete,
    "restore": restore, "change_password": change_password, "crash_dump": crash_dump}
