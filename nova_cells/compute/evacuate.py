# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Evacuation, on the host that takes the server in: made anew from its image, as a boot makes it.

May assume that the cell knows the other host to be out of the way (decision 0020).  Ports are the
server's already: they are bound to this host, and stay whatever becomes of the guest.  So do its
volumes: the other host's connections are closed when the guest is made.  What was on the other
host's disks is not here; a request that says it is fails.
"""

from nova_cells.compute import flow, ports, volumes, work
from nova_cells.domain import errors
from nova_cells.domain import server as model


def evacuate(doing: work.Work) -> dict[str, str]:
    """Make the guest; start it unless it shall be stopped."""
    from nova_cells.compute import verbs  # which knows of all works, this one too
    options = doing.wanted.options
    if options.get("shared"):
        raise errors.Conflict("Invalid state of instance files on shared storage")
    doing.progress(0)
    password = doing.open(doing.wanted.secrets).admin_password
    made = doing.spec(model.replace(
        doing.secrets, admin_password=password or doing.secrets.admin_password))
    nics = ports.Nics(doing)
    steps = tuple(step for step in nics.around(verbs.boot_flow(doing.driver).steps, flow.keep)
                  if step.name != "start" or not options.get("stopped"))
    doing.run(volumes.around(doing, flow.Flow("evacuate", steps), moving=True), made)
    volumes.only_here(doing)
    doing.attached.extend(nics.told())
    return {"instance_name": made.name, "root_device_name": "/dev/vda",
            "node": doing.driver.facts().hostname}
