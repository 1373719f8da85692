# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a cell and its host make of errands, in the test's hands: done at once, or when told."""

import typing

from nova_cells.compute import errands as working
from nova_cells.compute import ports, rooms
from nova_cells.domain import commands, errands, errors, lifecycle
from nova_cells.domain import server as model
from nova_cells.virt import fake
from nova_cells.virt import settings as values


class HostErrands:
    """The errands of a ``Child``; ``room`` is its network service.  ``late``: how many questions
    are answered before an errand is done."""

    def __init__(self) -> None:
        self.room: typing.Any = None
        self.known: dict[str, errands.Errand] = {}
        self.late = 0
        self._waiting: dict[str, int] = {}
        self._driver = fake.FakeDriver(values.Settings(cell="c", host="node-1"))
        self._driver.attach_interface = lambda *_args: None
        self._driver.detach_interface = lambda *_args: None

    def booted(self, record: model.Server, attached: tuple[errands.Errand, ...],
               ids: typing.Any) -> dict[str, typing.Any]:
        """A guest that was made, with its ports: what its record shows."""
        for template in attached:
            uuid = ids.uuid()
            errand = model.replace(template, uuid=uuid, server=record.uuid, rest="attached",
                                   version=1)
            port = ports.plug(self.room, errand, record, "node-1")
            self.known[uuid] = ports.filled(errand, port)
        return errands.shown(self._of(record.uuid))

    def answer(self, child: typing.Any, message: typing.Any) -> commands.Done:
        """A command or a question."""
        record = child.records[message.server]
        if isinstance(message, commands.ReadErrand):
            self._waiting[message.errand] -= 1
            if self._waiting[message.errand] <= 0:
                record = self._finish(child, record, message.errand)
            return commands.Done(record=record, errand=self.known[message.errand])
        before = self.known.get(message.errand.uuid, message.errand)
        begun = errands.begin(before, message.verb, record, message.options)
        self.known[begun.uuid] = begun
        self._waiting[begun.uuid] = self.late
        if not self.late:
            record = self._finish(child, record, begun.uuid)
        return commands.Done(record=record, errand=self.known[begun.uuid])

    def _finish(self, child: typing.Any, record: model.Server, uuid: str) -> model.Server:
        errand = self.known[uuid]
        work = working.Work(errand=errand, record=record, driver=self._driver, host="node-1",
                            rooms=rooms.Rooms(network=self.room), step=lambda _name: None)
        try:
            done = working.WORKS[errand.kind, errand.verb](work)
            self.known[uuid] = errands.finish(done)
        except errors.Problem as problem:
            self.known[uuid] = errands.fail(errand, problem.message, problem.family)
        record = lifecycle.change(record, child.clock.time(),
                                  **errands.shown(self._of(record.uuid)))
        child.records[record.uuid] = record
        return record

    def _of(self, server: str) -> list[errands.Errand]:
        return [one for one in self.known.values() if one.server == server]
