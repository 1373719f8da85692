# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Shelving on a host: the disk becomes an image, the guest goes, the guest comes back.

What is in the image is all there is of an offloaded server.  So a guest is only destroyed by the
verb that follows on an image that is whole, and the image only goes when the cell has written down
that the guest runs again (``imaging.drop``).
"""

from nova_cells.compute import flow, imaging, ports, volumes, work
from nova_cells.domain import server as model

PATIENCE = 60.0                  # seconds for a guest to go down by itself
SPAWNING = 1                     # a phase of unshelve


def off_flow(doing: work.Work) -> flow.Flow:
    """The guest off; its way back is what it did before.  A suspended one is off."""
    driver, uuid, rest = doing.driver, doing.uuid, doing.task.record.rest

    def off() -> None:
        if rest in ("active", "paused"):
            driver.stop(uuid, PATIENCE if rest == "active" else 0.0)

    def back() -> None:
        if rest in ("active", "paused"):
            driver.start(uuid)
        if rest == "paused":
            driver.pause(uuid)

    return flow.Flow("shelve", (flow.Step("power_off", off, back),))


def shelve(doing: work.Work) -> dict[str, str]:
    """Off, and its disk in an image.  Without an image its disk is a volume, and stays one."""
    if doing.wanted.image_id is None:
        doing.run(off_flow(doing))
    else:
        imaging.picture(doing, before=off_flow(doing).steps)
    return {}


def shelve_offload(doing: work.Work) -> dict[str, str]:
    """Nothing is left of it here; its volumes and ports stay the server's, on no host."""
    doing.step("destroy")
    doing.driver.destroy(doing.uuid)
    volumes.put_aside(doing)
    ports.put_aside(doing)
    return {}


def unshelve(doing: work.Work) -> dict[str, str]:
    """Started where it is, or made anew from its image."""
    from nova_cells.compute import verbs
    record = doing.task.record
    if record.rest == "shelved":
        doing.step("start")
        doing.driver.start(doing.uuid)
        return {}
    made = doing.spec()
    if record.shelved_image_id is not None:
        image = imaging.room(doing).facts(record.shelved_image_id)
        made = model.replace(made, server=model.replace(record, image=image))
    doing.progress(SPAWNING)
    nics = ports.Nics(doing)
    steps = nics.around(verbs.boot_flow(doing.driver).steps, lambda _spec: ports.put_aside(doing))
    doing.run(volumes.around(doing, flow.Flow("unshelve", steps), back=volumes.put_back), made)
    doing.attached.extend(nics.told())
    return {"instance_name": made.name, "root_device_name": "/dev/vda",
            "node": doing.driver.facts().hostname}
