# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Side errands in the cell: begun by commands, carried out by hosts, shown in the server's record.

An errand is a row of its own with a ticket of its own, so reports of two never meet, and neither
moves what the server itself does.  What is visible of them goes into the server's record in the
same transaction.  A row goes only when its host, or any host of the cell, has said that nothing of
it is left outside.
"""

import logging
import typing

from nova_cells import context
from nova_cells.conductor import errand_courses
from nova_cells.db import again
from nova_cells.db.cell import errands as rows
from nova_cells.domain import address, commands, effects, errands, errors, lifecycle, tasks
from nova_cells.domain import server as model

LOG = logging.getLogger(__name__)


class Errands:
    """All that a conductor does about errands."""

    def __init__(self, conductor) -> None:  # noqa: ANN001
        self._c = conductor
        self._store = conductor.store
        self._courses = errand_courses.Courses(conductor)

    # -- commands -------------------------------------------------------------------------------

    def run(self, tx, message: commands.Run, server: model.Server,  # noqa: ANN001
            now: float) -> tuple[model.Server, list[effects.Effect]]:
        """Begin a verb of an errand: check, save, send."""
        verb = errands.VERBS.get(message.verb)
        if verb is None:
            raise errors.Unsupported(f"this cell does not know the errand {message.verb!r}; "
                                     f"upgrade it")
        held = self._store.errands.get(tx, message.errand.uuid)
        before = held.errand if held is not None else self._fresh(tx, message, server)
        course = self._courses.of(before.kind)
        errand = errands.begin(before, verb.name, server, message.options)
        errand = course.begin(tx, server, errand, message.errand)
        host = course.host(tx, server, errand, verb)
        more = {"op": message.op, "host": host or "", "began_at": now,
                "due_at": now + self._c.settings.ask_again}
        if held is None:
            self._store.errands.insert(tx, errand, now, **more)
        else:
            self._store.errands.save(tx, errand, **more)
        if verb.action:
            self._store.actions.put(tx, commands.ActionRecord(
                uuid=message.op, server=server.uuid, epoch=server.epoch, version=2,
                action=verb.action, request_id=message.origin.request_id, start=now, updated=now,
                user_id=message.origin.user_id, project_id=message.origin.project_id), now)
        LOG.info("server=%s errand=%s verb=%s version=%d", server.uuid, errand.uuid, verb.name,
                 errand.version)
        if host is None:                 # there is no guest: being written down is all of it
            return self._finish(tx, server, errand, message.op, "", now), []
        return self.show(tx, server, now), [self._task(tx, errand, server, host, message.op)]

    def _fresh(self, tx, message: commands.Run,  # noqa: ANN001
               server: model.Server) -> errands.Errand:
        """A new errand, if its subject is not attached."""
        errand = model.replace(message.errand, server=server.uuid, epoch=server.epoch, version=0,
                               rest="new", verb=None, ticket=0, options={}, fault=None, family="")
        for one in self._store.errands.of(tx, server.uuid):
            if (one.kind, one.subject) == (errand.kind, errand.subject or errand.uuid):
                raise errors.Conflict(f"The {errand.kind} {errand.subject} is attached to instance "
                                      f"{server.uuid} already")
        if "new" not in errands.VERBS[message.verb].start:
            raise errors.NotFound(f"Instance {server.uuid} has no {errand.kind} of errand "
                                  f"{errand.uuid}")
        return errand

    def read(self, tx, uuid: str, server: model.Server) -> errands.Errand:  # noqa: ANN001
        """How it goes."""
        held = self._store.errands.get(tx, uuid)
        if held is None or held.errand.server != server.uuid:
            raise errors.NotFound(f"Instance {server.uuid} has no errand {uuid}")
        return held.errand

    # -- reports --------------------------------------------------------------------------------

    def report(self, message: tasks.ErrandReport, now: float) -> list[effects.Effect]:
        """A report moves the verb whose ticket it carries, and no other."""
        with self._store.write() as tx:
            held = self._store.errands.get(tx, message.errand.uuid)
            if held is None or held.host != message.host \
                    or not errands.owns(held.errand, message.epoch, message.ticket):
                return []
            server = self._server(tx, held.errand.server)
            if message.result == "done":
                errand = self._courses.of(held.errand.kind).done(held.errand, message.errand)
                self._finish(tx, server, errand, held.op, message.host, now)
            else:
                self._fail(tx, server, held, message.error or "the host could not do it",
                           message.family, message.details, now)
                if message.left:
                    self._release(tx, server, held, now)
        return [effects.Wake("relay")]

    def _finish(self, tx, server: model.Server | None, errand: errands.Errand,  # noqa: ANN001
                op: str | None, host: str, now: float) -> model.Server | None:
        done = errands.finish(errand)
        self._store.errands.save(tx, done)
        self._end_action(tx, op, errand, host, now, "Success", None)
        LOG.info("server=%s errand=%s verb=%s version=%d rest=%s", errand.server, errand.uuid,
                 errand.verb, done.version, done.rest)
        return self.show(tx, server, now) if server is not None else None

    def _fail(self, tx, server: model.Server | None, held: rows.Held, why: str,  # noqa: ANN001
              family: str, details: str | None, now: float) -> None:
        if not errands.VERBS[held.errand.verb].limit:        # until it is done: asked again
            LOG.warning("server=%s errand=%s verb=%s host=%s not done yet: %s", held.errand.server,
                        held.errand.uuid, held.errand.verb, held.host, why)
            return
        failed = errands.fail(held.errand, why, family or "bug")
        self._store.errands.save(tx, failed)
        self._end_action(tx, held.op, held.errand, held.host, now, "Error", details or why)
        LOG.warning("server=%s errand=%s verb=%s version=%d failed: %s", failed.server,
                    failed.uuid, held.errand.verb, failed.version, why)
        if server is not None:
            self.show(tx, server, now)

    def _end_action(self, tx, op: str | None, errand: errands.Errand, host: str,  # noqa: ANN001
                    now: float, result: str, why: str | None) -> None:
        verb = errands.VERBS[errand.verb]
        action = self._store.actions.get(tx, op) if op and verb.action else None
        if action is None:
            return
        event = commands.Event(name=f"compute_{verb.name}", start=action.start, finish=now,
                               result=result, host=host or None, details=why)
        self._store.actions.put(tx, model.replace(
            action, version=action.version + 1, updated=now, events=(*action.events, event),
            message="Error" if result == "Error" else action.message), now)

    # -- the server's own verbs -------------------------------------------------------------------

    def accepted(self, tx, server: model.Server,  # noqa: ANN001
                 templates: typing.Iterable[errands.Errand], now: float) -> None:
        """A boot that was accepted: what it is to be given is written down before it is asked
        for."""
        volumes = [errands.Errand(
            uuid=one.errand, server=server.uuid, kind=errands.VOLUME, subject=one.volume_id,
            attachment=one) for one in server.attachments]
        fresh = [model.replace(template, uuid=self._c.ids.uuid()) for template in templates]
        for template in (*fresh, *volumes):
            uuid = template.uuid
            self._store.errands.insert(tx, model.replace(
                template, uuid=uuid, server=server.uuid, subject=template.subject or uuid,
                epoch=server.epoch, version=1, rest="new", verb=None), now)

    def came(self, tx, server: model.Server,  # noqa: ANN001
             reported: typing.Iterable[errands.Errand], now: float) -> dict[str, typing.Any]:
        """A verb of the server attached these: the fields of the record that show it."""
        for told in reported:
            held = self._store.errands.get(tx, told.uuid)
            if held is not None and held.errand.server == server.uuid \
                    and held.errand.rest != "gone" and held.errand.verb is None:
                known = self._courses.of(held.errand.kind).done(held.errand, told)
                self._store.errands.save(tx, errands.settle(known, "attached"))
        return errands.shown(self._store.errands.of(tx, server.uuid))

    def gone(self, tx, server: model.Server,  # noqa: ANN001
             reported: typing.Iterable[errands.Errand], now: float) -> None:
        """A server goes.  ``reported``: what its host has let go of; the rest is released by any
        host of the cell, for as long as that takes."""
        done = {told.uuid for told in reported}
        for held in self._store.errands.held_of(tx, server.uuid):
            if held.errand.verb == "release":
                continue
            if held.errand.uuid in done:
                self._store.errands.save(tx, errands.settle(held.errand, "gone"), began_at=now)
            else:
                self._store.errands.save(tx, errands.begin(held.errand, "release", server),
                                         op=None, host="", began_at=now, due_at=now)

    def show(self, tx, server: model.Server, now: float) -> model.Server:  # noqa: ANN001
        """The server's record shows what is attached: saved if that changed."""
        if server.deleted:
            return server
        fields = errands.shown(self._store.errands.of(tx, server.uuid))
        if all(getattr(server, name) == value for name, value in fields.items()):
            return server
        changed = lifecycle.change(server, now, **fields)
        self._store.servers.save(tx, changed, now)
        return changed

    # -- asking ---------------------------------------------------------------------------------

    def on(self, tx, host: str) -> list[effects.Effect]:  # noqa: ANN001
        """A host starts: its open errands again."""
        return self._again(tx, [held for held in self._store.errands.open(tx)
                                if held.host == host])

    def everything(self, tx) -> list[effects.Effect]:  # noqa: ANN001
        """A conductor starts: all open ones again."""
        return self._again(tx, [held for held in self._store.errands.open(tx) if held.host])

    def _again(self, tx, open_: list[rows.Held]) -> list[effects.Effect]:  # noqa: ANN001
        return [self._task(tx, held.errand, self._server(tx, held.errand.server), held.host,
                           held.op) for held in open_]

    def tick(self, now: float) -> list[effects.Effect]:
        """Those whose time has come are asked about again, or given up in words."""
        with self._store.read() as tx:
            due = self._store.errands.due(tx, now)
        sent: list[effects.Effect] = []
        for uuid in due:
            sent += again.decide(self._one, uuid, now)
        return sent

    def _one(self, uuid: str, now: float) -> list[effects.Effect]:
        with self._store.write() as tx:
            held = self._store.errands.get(tx, uuid)
            if held is None or held.errand.verb is None:
                return []
            with context.on_behalf(self._request_id(tx, held.op), server=held.errand.server,
                                   verb=held.errand.verb):
                return self._ask(tx, held, now)

    def _ask(self, tx, held: rows.Held, now: float) -> list[effects.Effect]:  # noqa: ANN001
        errand, verb = held.errand, errands.VERBS[held.errand.verb]
        server = self._server(tx, errand.server)
        if verb.limit and now - held.began_at > verb.limit * self._c.settings.limit_factor:
            self._give_up(tx, server, held, verb, now)
            return [effects.Wake("relay")]
        host = self._courses.of(errand.kind).again(tx, server, errand, verb)
        self._store.errands.ask_later(tx, errand, host=host or held.host,
                                      due_at=now + self._c.settings.ask_again)
        if host is None:
            return []
        LOG.info("server=%s errand=%s verb=%s version=%d is asked about again", errand.server,
                 errand.uuid, verb.name, errand.version)
        return [self._task(tx, errand, server, host, held.op)]

    def _give_up(self, tx, server: model.Server, held: rows.Held,  # noqa: ANN001
                 verb: errands.Verb, now: float) -> None:
        """Its host may still do it, so what was to be attached must be let go of for certain."""
        self._fail(tx, server, held, f"{verb.name} did not finish within {verb.limit} seconds on "
                   f"its host", "cell_down", None, now)
        self._release(tx, server, held, now)

    def _release(self, tx, server: model.Server, held: rows.Held, now: float) -> None:  # noqa: ANN001
        """What was to be attached, and may be there in part, is let go of for certain."""
        if errands.VERBS[held.errand.verb].failed == "gone":
            last = self._store.errands.get(tx, held.errand.uuid).errand
            again_ = errands.begin(model.replace(held.errand, rest="new", verb=None,
                                                 version=last.version), "release", server)
            self._store.errands.save(tx, model.replace(again_, fault=last.fault,
                                                       family=last.family),
                                     host="", op=None, began_at=now, due_at=now)

    def _task(self, tx, errand: errands.Errand, server: model.Server | None,  # noqa: ANN001
              host: str, op: str | None) -> effects.Cast:
        held = self._store.servers.get(tx, errand.server)
        there = server is not None and not server.deleted
        return effects.Cast(address.Host(self._c.cell, host), tasks.ErrandTask(
            server=errand.server, epoch=errand.epoch, errand=errand,
            version=held.version if held is not None else 0,
            record=server if there else None, request_id=self._request_id(tx, op),
            host_uuid=self._c.hosts.uuid(tx, host)))

    def _server(self, tx, uuid: str) -> model.Server | None:  # noqa: ANN001
        held = self._store.servers.get(tx, uuid)
        return held.server if held is not None else None

    def _request_id(self, tx, op: str | None) -> str:  # noqa: ANN001
        action = self._store.actions.get(tx, op) if op else None
        return action.request_id if action is not None else ""
