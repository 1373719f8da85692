# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What hosts do in a live migration: one function for each leg (``conductor.live_migrating``).

The first leg is the destination's: it prepares.  Then the source copies and lets go ("depart"),
the destination takes up ("arrive"), the source clears what is left ("clean").  After a failed or
aborted copy the destination clears instead ("back").
"""

import typing

from nova_cells.compute import flow, ports, volumes, work
from nova_cells.domain import migration, tasks
from nova_cells.virt import migrating

PREPARING, RUNNING = 1, 2                # phases that are told


def live_migrate(doing: work.Work) -> dict[str, str]:
    """This host's part of it."""
    return LEGS[doing.wanted.leg](doing)


def prepare(doing: work.Work) -> dict[str, str]:
    """Where it goes."""
    doing.progress(PREPARING)
    found: list[str] = []
    ports.Nics(doing).must_do()
    steps = [flow.Step("prepare_arrival",
                       lambda spec: found.append(doing.driver.prepare_arrival(spec)),
                       lambda _spec: doing.driver.destroy(doing.uuid))]
    if volumes.of(doing.task):           # before anything is copied: who cannot reach them says so
        steps.insert(0, flow.Step("connect_volumes",
                                  lambda _spec: volumes.connect(doing, moving=True),
                                  lambda _spec: volumes.let_go(doing)))
    doing.run(flow.Flow("live_migrate", tuple(steps)), doing.spec())
    doing.attached.clear()               # they are the other host's until the guest is here
    return {"address": found[-1]}


def depart(doing: work.Work) -> dict[str, str]:
    """Where it runs: copy, and let go.  One that is to be aborted is, unless it has let go."""
    doing.step("depart")

    def tell(copied: migrating.Copied) -> None:
        steer(doing.driver, doing.task, doing.task)
        doing.tell(RUNNING, {name: str(getattr(copied, name)) for name in migration.FIGURES}
                   | {"percent": str(copied.percent)})
    address = doing.wanted.options.get("address", "")
    return {"handed": doing.driver.depart(doing.uuid, address, tell)}


def arrive(doing: work.Work) -> dict[str, str]:
    """Where it goes: it lives here now."""
    doing.step("arrive")
    doing.driver.arrive(doing.spec(), doing.wanted.options["handed"])
    nics = ports.Nics(doing)
    nics.arrived()
    doing.attached.extend(nics.told())
    volumes.arrived(doing)
    return {"node": doing.driver.facts().hostname}


def clear(doing: work.Work) -> dict[str, str]:
    """Nothing of it is left here."""
    doing.step("clear")
    doing.driver.destroy(doing.uuid)
    volumes.left(doing)
    return {}


def steer(driver: typing.Any, doing: tasks.Task, task: tasks.Task) -> None:
    """What the newest task says of a copy under way.  Another leg or verb does not need it."""
    if doing.wanted.leg != "depart":
        return
    word = task.wanted.options.get("steer")
    if word == migration.ABORT or (task.verb, task.wanted.leg) != ("live_migrate", "depart"):
        driver.abort_departure(doing.server)
    elif word == migration.FORCE:
        driver.hurry_departure(doing.server)


LEGS = {"": prepare, "depart": depart, "arrive": arrive, "clean": clear, "back": clear}
