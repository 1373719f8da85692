# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a host does of a resize or a cold migration: its leg (``conductor.resizing`` says in which
order), as a flow of steps.

Where a guest comes from it is parked until the move is confirmed, so whatever fails before that can
be taken back.  Legs that take back, and those that drop what is parked, have no way back: they are
taken again until they are done.

Ports and volumes follow the guest.  A port is bound to one host, where the guest is to be next.  A
volume is connected to both hosts until the move is confirmed or the guest is back, and so never
free for anybody else in between.
"""

from nova_cells.compute import flow, ports, volumes, work
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
    if move.source != move.dest:
        volumes.left(doing)
    return {}


def _prepare(doing: work.Work) -> dict[str, str]:
    """On the destination: say at once if it will not fit."""
    spec = _spec(doing, doing.wanted.migration.new_flavor)
    ports.Nics(doing).must_do()
    volumes.must_do(doing)
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

    def start(_spec: protocol.GuestSpec) -> None:
        if move.rest == "active":
            driver.start(uuid)
    return flow.Flow("arrive", (
        flow.Step("receive_disk", lambda spec: driver.receive_disk(spec, move.uuid),
                  lambda _spec: driver.remove_disk(uuid)),
        flow.Step("write_config_drive", driver.write_config_drive,
                  lambda _spec: driver.remove_config_drive(uuid)),
        flow.Step("define", driver.define, lambda _spec: driver.undefine(uuid)),
        flow.Step("start", start, lambda _spec: driver.stop(uuid, 0)),
        flow.Step("unsend_disk", lambda _spec: driver.unsend_disk(uuid, move.uuid), flow.keep)))


def _arrive(doing: work.Work) -> dict[str, str]:
    doing.progress(3)
    move, nics = doing.wanted.migration, ports.Nics(doing)
    steps = flow.Flow("arrive", nics.around(arriving(doing).steps, flow.keep))
    back = volumes.let_go if move.source != move.dest else volumes.take_out
    doing.run(volumes.around(doing, steps, moving=True, back=back), _spec(doing, move.new_flavor))
    doing.attached.extend(nics.told())
    return {"node": doing.driver.facts().hostname}


def _remove(doing: work.Work) -> dict[str, str]:
    """On the destination of a move that is taken back: nothing but what is parked here stays."""
    driver, uuid = doing.driver, doing.uuid
    doing.run(flow.Flow("remove", (
        flow.Step("stop", lambda: _if_there(driver.stop, uuid, PATIENCE), flow.keep),
        flow.Step("undefine", lambda: driver.undefine(uuid), flow.keep),
        flow.Step("take_out_volumes", lambda: volumes.take_out(doing), flow.keep),
        flow.Step("remove_config_drive", lambda: driver.remove_config_drive(uuid), flow.keep),
        flow.Step("remove_disk", lambda: driver.remove_disk(uuid), flow.keep))))
    return {}


def _back(doing: work.Work) -> dict[str, str]:
    """On the source: the guest as it was before."""
    driver, uuid, move = doing.driver, doing.uuid, doing.wanted.migration
    spec, nics = _spec(doing, move.old_flavor), ports.Nics(doing)
    steps = [
        ("unsend_disk", lambda: driver.unsend_disk(uuid, move.uuid)),
        ("unpark", lambda: driver.unpark(uuid, move.uuid)),
        ("plug_ports", lambda: nics.plug(spec)),
        ("connect_volumes", lambda: volumes.come_back(doing)),
        ("define", lambda: driver.define(spec)),
        ("attach_interfaces", lambda: nics.come_back(spec))]
    if move.rest == "active":
        steps.append(("start", lambda: driver.start(uuid)))
    steps.append(("complete_volumes", lambda: volumes.complete(doing)))
    doing.run(flow.Flow("back", tuple(flow.Step(name, do, flow.keep) for name, do in steps)))
    doing.attached.extend(nics.told())
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
