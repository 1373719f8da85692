# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a host does of a resize or a cold migration: its leg (``conductor.resizing`` says in which
order), as a flow of steps.

Where a guest comes from it is parked until the move is confirmed, so whatever fails before that can
be taken back.  Legs that take back, and those that drop what is parked, have no way back: they are
taken again until they are done.
"""

from nova_cells.compute import flow, work
from nova_cells.domain import errors
from nova_cells.domain import server as model
from nova_cells.virt import protocol

PATIENCE = 60.0                  # seconds for a guest to go down by itself
BACK = "back"                    # the leg that takes a guest back to where it was


def resize(doing: work.Work) -> dict[str, str]:
    """The leg of this host: prepare, depart, arrive, or take back."""
    return LEGS[doing.wanted.leg](doing)


def revert(doing: work.Work) -> dict[str, str]:
    """Where it went: remove it.  Where it came from: take it back."""
    return _back(doing) if doing.wanted.leg == BACK else _remove(doing)


def confirm(doing: work.Work) -> dict[str, str]:
    """Where it came from: what is kept is not needed any more."""
    driver, uuid, move = doing.driver, doing.uuid, doing.wanted.migration
    drop = driver.drop_parked if move.source == move.dest else driver.destroy
    doing.run(flow.Flow("confirm", (
        flow.Step("unsend_disk", lambda: driver.unsend_disk(uuid, move.uuid), flow.keep),
        flow.Step("drop_parked", lambda: drop(uuid), flow.keep))))
    return {}


def _prepare(doing: work.Work) -> dict[str, str]:
    """On the destination: say at once if it will not fit."""
    spec = _spec(doing, doing.wanted.migration.new_flavor)
    doing.run(flow.Flow("prepare", (
        flow.Step("make_room", lambda: doing.driver.make_room(spec), flow.keep),)))
    return {}


def departing(doing: work.Work) -> flow.Flow:
    """On the source: off, its disk sent, the guest parked."""
    driver, uuid, move = doing.driver, doing.uuid, doing.wanted.migration

    def stop() -> None:
        if not driver.parked(uuid, move.uuid):
            driver.stop(uuid, PATIENCE)

    def start() -> None:
        if move.rest == "active":
            driver.start(uuid)
    return flow.Flow("depart", (
        flow.Step("stop", stop, start),
        flow.Step("send_disk", lambda: driver.send_disk(uuid, move.uuid),
                  lambda: driver.unsend_disk(uuid, move.uuid)),
        flow.Step("park", lambda: driver.park(uuid, move.uuid),
                  lambda: driver.unpark(uuid, move.uuid))))


def _depart(doing: work.Work) -> dict[str, str]:
    doing.run(departing(doing))
    return {}


def arriving(doing: work.Work) -> flow.Flow:
    """On the destination: its disk taken and made larger, the guest defined, and started if it ran
    before."""
    driver, uuid, move = doing.driver, doing.uuid, doing.wanted.migration
    spec = _spec(doing, move.new_flavor)

    def start() -> None:
        if move.rest == "active":
            driver.start(uuid)
    return flow.Flow("arrive", (
        flow.Step("receive_disk", lambda: driver.receive_disk(spec, move.uuid),
                  lambda: driver.remove_disk(uuid)),
        flow.Step("write_config_drive", lambda: driver.write_config_drive(spec),
                  lambda: driver.remove_config_drive(uuid)),
        flow.Step("define", lambda: driver.define(spec), lambda: driver.undefine(uuid)),
        flow.Step("start", start, lambda: driver.stop(uuid, 0)),
        flow.Step("unsend_disk", lambda: driver.unsend_disk(uuid, move.uuid), flow.keep)))


def _arrive(doing: work.Work) -> dict[str, str]:
    doing.progress(3)
    doing.run(arriving(doing))
    return {"node": doing.driver.facts().hostname}


def _remove(doing: work.Work) -> dict[str, str]:
    """On the destination of a move that is taken back: nothing but what is parked here stays."""
    driver, uuid = doing.driver, doing.uuid
    doing.run(flow.Flow("remove", (
        flow.Step("stop", lambda: _if_there(driver.stop, uuid, PATIENCE), flow.keep),
        flow.Step("undefine", lambda: driver.undefine(uuid), flow.keep),
        flow.Step("remove_config_drive", lambda: driver.remove_config_drive(uuid), flow.keep),
        flow.Step("remove_disk", lambda: driver.remove_disk(uuid), flow.keep))))
    return {}


def _back(doing: work.Work) -> dict[str, str]:
    """On the source: the guest as it was before."""
    driver, uuid, move = doing.driver, doing.uuid, doing.wanted.migration
    spec = _spec(doing, move.old_flavor)
    steps = [
        flow.Step("unsend_disk", lambda: driver.unsend_disk(uuid, move.uuid), flow.keep),
        flow.Step("unpark", lambda: driver.unpark(uuid, move.uuid), flow.keep),
        flow.Step("define", lambda: driver.define(spec), flow.keep)]
    if move.rest == "active":
        steps.append(flow.Step("start", lambda: driver.start(uuid), flow.keep))
    doing.run(flow.Flow("back", tuple(steps)))
    return {"node": driver.facts().hostname}


LEGS: dict[str, work.Doing] = {"": _prepare, "depart": _depart, "arrive": _arrive, BACK: _back}


def _spec(doing: work.Work, flavor: model.Flavor) -> protocol.GuestSpec:
    made = doing.spec()
    return model.replace(made, server=model.replace(made.server, flavor=flavor))


def _if_there(do, *args: object) -> None:  # noqa: ANN001
    try:
        do(*args)
    except errors.NotFound:
        pass
