"""Commands about one server: check, decide, save, send.

The child checks its own row, commits, and answers with the new record, so that reads follow
writes (wish K2).  A repeated operation answers with the record as it is and does nothing.
"""

import logging

import msgspec

from nova_cells.conductor import questions, steering
from nova_cells.db.cell import servers as server_rows
from nova_cells.domain import (
    address,
    codec,
    commands,
    effects,
    errors,
    lifecycle,
    records,
    tags,
)
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants

LOG = logging.getLogger(__name__)


class Changes:
    """Every command but Boot."""

    def __init__(self, conductor) -> None:  # noqa: ANN001
        self._c = conductor
        self._store = conductor.store

    def handle(self, message: commands.Command, now: float) -> list[effects.Effect]:
        """Carry out one command."""
        with self._store.write() as tx:
            held = self._store.servers.get(tx, message.server)
            if isinstance(message, commands.Delete):
                return self._delete(tx, message, held, now)
            if isinstance(message, commands.Settle):
                return self._settle(tx, message, held, now)
            server = self._mine(message, held)
            if isinstance(message, commands.Question):
                return questions.ask(self._c, tx, message, server)
            sent: list[effects.Effect] = []
            if not held.confirmed:       # the top acts on it, so it has confirmed it
                sent += self._c.placing.confirmed(tx, held, now)
                server = self._again(tx, message)
            if self._store.servers.did(tx, message.op):
                server = self._again(tx, message)    # it may have been done since the first look
                return [*sent, effects.Reply(self._answer(tx, message, server))]
            server, more = self._change(tx, message, server, now)
            self._store.servers.note(tx, message.op, message.server, type(message).__name__, now)
            answer = self._answer(tx, message, server)
        return [*sent, *more, effects.Reply(answer), effects.Wake("relay")]

    def _answer(self, tx, message: commands.Command,  # noqa: ANN001
                server: model.Server) -> commands.Done:
        """The record after it, and the errand if that is what was begun."""
        errand = None
        if isinstance(message, commands.Run):
            errand = self._c.errands.read(tx, message.errand.uuid, server)
        return commands.Done(record=server, errand=errand)

    def _again(self, tx, message: commands.Command) -> model.Server:  # noqa: ANN001
        return self._mine(message, self._store.servers.get(tx, message.server))

    def _mine(self, message: commands.Command, held: server_rows.Held | None) -> model.Server:
        if held is None:
            raise errors.NotFound(f"Instance {message.server} could not be found.")
        if held.epoch != message.epoch:
            raise errors.Moved(f"Instance {message.server} is at epoch {held.epoch} here, not at "
                               f"{message.epoch}")
        if held.server is None or held.server.deleted:
            raise errors.NotFound(f"Instance {message.server} could not be found.")
        return held.server

    # -- one after another ----------------------------------------------------------------------

    def _change(self, tx, message: commands.Command, server: model.Server,  # noqa: ANN001
                now: float) -> tuple[model.Server, list[effects.Effect]]:
        more: dict[str, None] = {}
        match message:
            case commands.Act():
                return self._act(tx, message, server, now)
            case commands.Run():
                return self._c.errands.run(tx, message, server, now)
            case commands.SteerMigration():
                return self._steer(tx, message, server, now)
            case commands.Lock():
                changed = lifecycle.lock(server, message.locked, message.reason,
                                         message.origin.project_id, now)
                if changed is not server:
                    name = "lock" if message.locked else "unlock"
                    self._action(tx, message, changed, name, now, f"api_{name}")
            case commands.ResetState():
                if message.rest != "error" and not server.host:
                    raise errors.Conflict(f"Instance {server.uuid} is on no host: it can only be "
                                          f"deleted")
                self._c.moves.reset(tx, server, now)
                changed = lifecycle.reset(server, message.rest, now)
                more = {"secrets": None}     # the boot, if there was one under way, is over
                self._action(tx, message, changed, "resetState", now)
            case commands.Update():
                fields = {name: value for name, value in (
                    (name, getattr(message, name)) for name in UPDATABLE)
                    if value is not msgspec.UNSET}
                changed = lifecycle.change(server, now, **fields) if fields else server
            case commands.ChangeMetadata():
                changed = _metadata(message, server, now)
            case commands.ClearPassword():
                self._store.servers.clear_password(tx, server.uuid)
                changed = server
            case commands.ChangeTags():
                tags.check(server, "update tags")
                changed = tags.changed(server, now, add=message.add, remove=message.remove,
                                       whole=message.whole)
            case _:
                raise errors.Unsupported(f"this cell does not know {type(message).__name__}; "
                                         f"upgrade it")
        if changed is not server:
            self._store.servers.save(tx, changed, now, **more)
        return changed, []

    def _act(self, tx, message: commands.Act, server: model.Server,  # noqa: ANN001
             now: float) -> tuple[model.Server, list[effects.Effect]]:
        """Begin a verb: save the move and what it wants, send the task."""
        verb = lifecycle.VERBS.get(message.verb)
        if verb is None:
            raise errors.Unsupported(f"this cell does not know the verb {message.verb!r}; "
                                     f"upgrade it")
        changed = lifecycle.begin(server, message.verb, now, message.want)
        wanted, why = model.replace(message.wanted, user_id=message.origin.user_id,
                                    project_id=message.origin.project_id), None
        try:
            changed, wanted = self._c.courses.of(message.verb).begin(tx, changed, wanted, now)
        except errors.NoPlace as problem:
            why = problem.message
        wanted = self._c.reports.leaving(tx, server, wanted)
        self._store.servers.save(tx, changed, now, op=message.op, began_at=now,
                                 due_at=now + self._c.settings.ask_again,
                                 wanted=codec.pack(wanted))
        self._action(tx, message, changed, verb.action, now)
        LOG.info("server=%s verb=%s version=%d", server.uuid, verb.name, changed.version)
        if why is not None:
            held = self._store.servers.get(tx, server.uuid)
            return self._c.reports.fail(tx, held, why, None, now), []
        return changed, [self._c.placing.task(tx, changed)]

    def _steer(self, tx, message: commands.SteerMigration, server: model.Server,  # noqa: ANN001
               now: float) -> tuple[model.Server, list[effects.Effect]]:
        changed, sent = self._c.steering.steer(tx, message, server, now)
        self._action(tx, message, changed, steering.ACTIONS[message.word], now,
                     steering.EVENTS[message.word])
        return changed, sent

    def _delete(self, tx, message: commands.Delete, held: server_rows.Held | None,  # noqa: ANN001
                now: float) -> list[effects.Effect]:
        """Whatever it is doing.  A delete may overtake its boot: then the tombstone is kept."""
        gone = effects.Cast(address.Collector(self._c.cell), records.Gone(
            server=message.server, epoch=message.epoch, op=message.op))
        if held is None or (held.epoch < message.epoch and not held.confirmed):
            if held is not None:
                self._c.placing.forget(tx, held, now)
            self._store.servers.bury(tx, message.server, message.epoch, now)
            return [gone, effects.Reply(commands.Done())]
        if held.epoch != message.epoch:
            failure = errors.Failure(family="moved", message=f"Instance {message.server} is at "
                                     f"epoch {held.epoch} here, not at {message.epoch}")
            return [gone, effects.Reply(failure)]
        server = held.server
        if server is None or server.deleted:
            self._mark_again(tx, held, now)
            return [gone, effects.Reply(commands.Done(record=server)), effects.Wake("relay")]
        return self.begin_delete(tx, message, held, now)

    def _mark_again(self, tx, held: server_rows.Held, now: float) -> None:  # noqa: ANN001
        """The top asks about a server that is deleted: it has not heard of it, say it again."""
        if held.server is not None:
            self._store.outbox.mark(tx, "server", held.uuid, held.epoch, held.version, now)

    def begin_delete(self, tx, message: commands.Delete, held: server_rows.Held,  # noqa: ANN001
                      now: float) -> list[effects.Effect]:
        """Delete it, whatever it is doing."""
        server = held.server
        changed = lifecycle.begin(server, "delete", now)
        if changed is server:            # it is being deleted
            return [self._c.placing.task(tx, server), effects.Reply(commands.Done(record=server))]
        wanted = self._c.reports.leaving(tx, server, wants.Wanted())
        self._store.servers.save(tx, changed, now, op=message.op, began_at=now,
                                 due_at=now + self._c.settings.ask_again,
                                 wanted=codec.pack(wanted) if wanted.abandoned else None)
        if not self._store.servers.did(tx, message.op):
            self._store.servers.note(tx, message.op, message.server, "Delete", now)
            self._action(tx, message, changed, "delete", now)
        LOG.info("server=%s verb=delete version=%d", server.uuid, changed.version)
        if server.host and held.confirmed:
            return [self._c.placing.task(tx, changed),
                    effects.Reply(commands.Done(record=changed)), effects.Wake("relay")]
        ended = self._c.reports.end(tx, changed, message.op, now)    # there never was a guest
        return [effects.Reply(commands.Done(record=ended)), effects.Wake("relay")]

    def _settle(self, tx, message: commands.Settle, held: server_rows.Held | None,  # noqa: ANN001
                now: float) -> list[effects.Effect]:
        """An operation that nobody heard of any more: say what became of it, once it is over."""
        if not self._store.servers.did(tx, message.op):
            self._store.servers.note(tx, message.op, message.server, "Settle", now)
        elif held is not None and held.op == message.op and held.server is not None \
                and held.server.verb is not None:
            return []                    # under way
        record = held.server if held is not None else None
        return [effects.Cast(address.Collector(self._c.cell), records.Settled(
            op=message.op, server=message.server, record=record))]

    # -- instance actions -----------------------------------------------------------------------

    def _action(self, tx, message: commands.Command, server: model.Server,  # noqa: ANN001
                action: str, now: float, event: str | None = None) -> None:
        """What users read of it: over when it begins, unless a report ends it later.  ``event``:
        the one step of an action that happens here."""
        steps = () if event is None else (commands.Event(
            name=event, start=now, finish=now, result="Success"),)
        self._store.actions.put(tx, commands.ActionRecord(
            uuid=message.op, server=server.uuid, epoch=server.epoch, version=2, action=action,
            request_id=message.origin.request_id, user_id=message.origin.user_id,
            project_id=message.origin.project_id, start=now, updated=now, events=steps), now)


UPDATABLE = ("name", "description", "hostname", "access_ip_v4", "access_ip_v6", "disk_config",
             "pinned_availability_zone", "security_groups")


def _metadata(message: commands.ChangeMetadata, server: model.Server,
              now: float) -> model.Server:
    """The server with other metadata; ``OverLimit`` past the project's quota of items."""
    kept = {} if message.whole else dict(server.metadata)
    kept.update(message.items)
    for key in message.remove:
        if key not in kept:
            raise errors.NotFound("Metadata item was not found")
        del kept[key]
    if 0 <= message.limit < len(kept) and len(kept) > len(server.metadata):
        raise errors.OverLimit(f"Maximum number of metadata items exceeds {message.limit}")
    return lifecycle.change(server, now, metadata=kept) if kept != server.metadata else server
