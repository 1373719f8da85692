"""What hosts say: reports move the state, looks correct it, strangers are swept or left alone."""

import logging

from nova_cells.conductor import adopting, courses
from nova_cells.db.cell import servers as server_rows
from nova_cells.domain import address, codec, commands, effects, errors, lifecycle, tasks
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants

LOG = logging.getLogger(__name__)


class Reports:
    """Reports in, next versions out."""

    def __init__(self, conductor) -> None:  # noqa: ANN001
        self._c = conductor
        self._store = conductor.store
        self._adopting = adopting.Adopting(conductor)

    # -- tasks ----------------------------------------------------------------------------------

    def report(self, message: tasks.Report, now: float) -> list[effects.Effect]:
        """A report moves the verb whose ticket it carries, and no other."""
        with self._store.write() as tx:
            held = self._store.servers.get(tx, message.server)
            if held is None or held.server is None \
                    or not lifecycle.owns(held.server, message.epoch, message.ticket) \
                    or self._c.courses.host(tx, held.server) != message.host:
                return []
            # A host is given a task only once the top has confirmed: a row that does not know of
            # it comes from an old copy of the database.
            if not held.confirmed:
                self._store.servers.confirm(tx, held.uuid, held.epoch)
            if message.result == "progress":
                self._progress(tx, held.server, message, now)
            elif message.result == "done":
                return [*self._done(tx, held, message, now), effects.Wake("relay")]
            else:
                return self._failed(tx, held, message, now)
        return [effects.Wake("relay")]

    def _progress(self, tx, server: model.Server, message: tasks.Report,  # noqa: ANN001
                  now: float) -> None:
        facts = self._c.courses.of(server.verb).progressed(
            tx, server, self._store.servers.wanted(tx, server.uuid), message, now)
        changed = lifecycle.advance(server, message.phase, now, **facts)
        if changed is server and facts:
            changed = lifecycle.change(server, now, **facts)
        if changed is not server:
            self._store.servers.save(tx, changed, now,
                                     due_at=now + self._c.settings.ask_again)

    def _done(self, tx, held: server_rows.Held, message: tasks.Report,  # noqa: ANN001
              now: float) -> list[effects.Effect]:
        """The host did its part: the next leg, the end, or the verb that follows."""
        server, course = held.server, self._c.courses.of(held.server.verb)
        wanted = self._store.servers.wanted(tx, server.uuid)
        following = course.following(tx, server, wanted, message, now)
        if isinstance(following, courses.Leg):
            if message.attached and server.verb != "delete":
                came = self._c.errands.came(tx, server, message.attached, now)
                following = following._replace(facts={**following.facts, **came})
            return self.leg(tx, server, following, now)
        if following is not None:
            self.fail(tx, held, following.why, following.details, now)
            return []
        facts = course.done(tx, server, wanted, message, now)
        if server.verb == "delete":
            self._c.errands.gone(tx, server, message.attached, now)
        elif message.attached:
            facts |= self._c.errands.came(tx, server, message.attached, now)
        if message.power_state is not None:
            facts["power_state"] = message.power_state
        done = self.end(tx, held.server, held.op, now, **facts)
        after, sent = course.after(done), course.parting(tx, server)
        try:
            return sent if after is None else [*sent,
                                               self.follow(tx, done, after, now, held.op)]
        except (errors.Conflict, errors.Unsupported) as problem:     # what was done, was done
            LOG.warning("server=%s verb=%s cannot follow: %s", server.uuid, after, problem)
            return sent

    def without(self, tx, held: server_rows.Held,  # noqa: ANN001
                end: courses.Leg | courses.Failed | courses.Done,
                now: float) -> list[effects.Effect]:
        """The verb goes on, or ends, without a host that is down."""
        match end:
            case courses.Leg():
                return self.leg(tx, held.server, end, now)
            case courses.Failed():
                self.fail(tx, held, end.why, end.details, now)
            case courses.Done():
                self.end(tx, held.server, held.op, now, **end.facts)
        return []

    def leg(self, tx, server: model.Server, leg: courses.Leg,  # noqa: ANN001
            now: float, why: str | None = None) -> list[effects.Effect]:
        """The verb goes on, on another host or another way, under a ticket of its own."""
        op = self._store.servers.get(tx, server.uuid).op
        before = self._store.servers.wanted(tx, server.uuid)
        changed = lifecycle.retry(server, now, **leg.facts)
        self._store.servers.save(tx, changed, now, due_at=now + self._c.settings.ask_again,
                                 wanted=codec.pack(leg.wanted))
        self._note_step(tx, op, server, before, now, why)
        LOG.info("server=%s verb=%s leg=%s version=%d", server.uuid, server.verb, leg.wanted.leg,
                 changed.version)
        return [self._c.placing.task(tx, changed)]

    def follow(self, tx, server: model.Server, verb: str, now: float,  # noqa: ANN001
               op: str | None) -> effects.Cast:
        """Begin a verb that nobody ordered by itself: its task.  ``op``: the operation that it is a
        part of."""
        begun = lifecycle.begin(server, verb, now)
        begun, wanted = self._c.courses.of(verb).begin(tx, begun, wants.Wanted(), now)
        self._store.servers.save(tx, begun, now, op=op, began_at=now, wanted=codec.pack(wanted),
                                 due_at=now + self._c.settings.ask_again)
        LOG.info("server=%s verb=%s version=%d", server.uuid, verb, begun.version)
        return self._c.placing.task(tx, begun)

    def leaving(self, tx, server: model.Server, wanted: wants.Wanted) -> wants.Wanted:  # noqa: ANN001
        """What a verb wants that interrupts another: also that nothing is left of what the other
        was about, if its host was to fill an image."""
        if server.verb is None:
            return wanted
        before = self._store.servers.wanted(tx, server.uuid)
        image = before.image_id or before.abandoned
        return model.replace(wanted, abandoned=image) if image else wanted

    def end(self, tx, server: model.Server, op: str | None, now: float,  # noqa: ANN001
            **facts: object) -> model.Server:
        """The verb under way is done: state, action, and what it releases, in one transaction."""
        verb = server.verb
        done = lifecycle.finish(server, now, **facts)
        more = {"secrets": None} if verb in ("boot", "delete") else {}
        if done.deleted:
            more["user_data"] = None
            self._c.moves.gone(tx, server.uuid, now)
            self._store.resources.release(tx, server.uuid)
            self._c.errands.gone(tx, server, (), now)
        wanted = self._store.servers.wanted(tx, server.uuid)
        self._store.servers.save(tx, done, now, **more)
        self._end_action(tx, op, server, wanted, now, None)
        LOG.info("server=%s verb=%s version=%d rest=%s", server.uuid, verb, done.version,
                 done.rest)
        return done

    def _failed(self, tx, held: server_rows.Held, message: tasks.Report,  # noqa: ANN001
                now: float) -> list[effects.Effect]:
        if held.server.verb == "boot" and message.elsewhere:
            again = self._c.placing.again(tx, held, now)
            if again is not None:
                LOG.info("server=%s verb=boot failed on host=%s, tried elsewhere: %s",
                         held.uuid, message.host, message.error)
                return again
        wanted = self._store.servers.wanted(tx, held.uuid)
        leg = self._c.courses.of(held.server.verb).instead(tx, held.server, wanted, message, now)
        if leg is not None:
            LOG.info("server=%s verb=%s failed on host=%s, goes another way: %s", held.uuid,
                     held.server.verb, message.host, message.error)
            return [*self.leg(tx, held.server, leg, now, message.error or "it failed"),
                    effects.Wake("relay")]
        self.fail(tx, held, message.error or "the host could not do it", message.details, now)
        return [effects.Wake("relay")]

    def fail(self, tx, held: server_rows.Held, why: str, details: str | None,  # noqa: ANN001
             now: float, given_up: bool = False) -> model.Server:
        """The verb under way failed, or is ``given_up`` though its host is silent about it: where
        the table lands it, with a fault in words."""
        server = held.server
        fault = model.Fault(code=500, message=why, created_at=now, details=details)
        wanted = self._store.servers.wanted(tx, server.uuid)
        course = self._c.courses.of(server.verb)
        end = course.given_up if given_up else course.failed
        facts = end(tx, server, wanted, now)
        if server.verb == "boot":        # the host cleaned up: nothing is held any more
            facts = {"host": None, "node": None, "power_state": lifecycle.NOSTATE}
            self._store.resources.release(tx, server.uuid)
        failed = lifecycle.fail(server, now, fault, **facts)
        more = {"secrets": None} if server.verb in ("boot", "delete") else {}
        self._store.servers.save(tx, failed, now, **more)
        self._end_action(tx, held.op, server, wanted, now, why)
        LOG.warning("server=%s verb=%s version=%d failed: %s", server.uuid, server.verb,
                    failed.version, why)
        return failed

    def _end_action(self, tx, op: str | None, server: model.Server,  # noqa: ANN001
                    wanted: wants.Wanted, now: float, why: str | None) -> None:
        """The last step; with ``why`` the action failed by it."""
        self._note_step(tx, op, server, wanted, now, why,
                        **({"message": "Error"} if why is not None else {}))

    def _note_step(self, tx, op: str | None, server: model.Server,  # noqa: ANN001
                   wanted: wants.Wanted, now: float, why: str | None, **more: str) -> None:
        """A step of the action is over.  It began when the one before it ended."""
        action = self._store.actions.get(tx, op) if op else None
        if action is None:
            return
        course = self._c.courses.of(server.verb)
        before = action.events[-1].finish if action.events else None
        event = commands.Event(
            name=course.event(server, wanted), start=before or action.start, finish=now,
            result="Success" if why is None else "Error", host=course.host(server, wanted),
            details=why)
        self._store.actions.put(tx, model.replace(
            action, version=action.version + 1, updated=now, events=(*action.events, event),
            **more), now)

    # -- guests that were seen --------------------------------------------------------------------

    def guests(self, message: tasks.GuestsSeen, now: float) -> list[effects.Effect]:
        """Compare what a host runs with what the cell believes.  What differs is looked at again
        before it counts."""
        if not self._c.hosts.heard(message.host, message.uuid, now):
            return []                    # another machine of that name, which was refused
        seen = {guest.uuid: guest for guest in message.guests
                if guest.uuid not in message.pending}
        sent: list[effects.Effect] = []
        ours: list[tasks.GuestSeen] = []
        with self._store.read() as tx:
            for held in self._store.servers.on(tx, message.host):
                if held.uuid in message.pending:
                    continue
                guest = seen.pop(held.uuid, None)
                power = guest.power if guest else lifecycle.NOSTATE
                if guest is not None and self._adopting.belongs(held, guest, message.host):
                    ours.append(guest)
                elif self._differs(held, power):
                    sent.append(self._look(tx, message.host, held))
            for guest in seen.values():
                held = self._store.servers.get(tx, guest.uuid)
                if held is not None and self._adopting.belongs(held, guest, message.host):
                    ours.append(guest)
                else:
                    sent += self._stranger(tx, message.host, guest, held)
        for guest in ours:
            if not self._adopting.adopt(message.host, guest, now):
                sent += self._no_room(message.host, guest)
        return [*sent, effects.Wake("relay")] if ours else sent

    def _no_room(self, host: str, guest: tasks.GuestSeen) -> list[effects.Effect]:
        """A guest that could not be taken in is a stranger once the operator has said that the copy
        is right; until then it is left alone."""
        with self._store.read() as tx:
            held = self._store.servers.get(tx, guest.uuid)
            lost = held is not None and held.server is not None and "lost" in held.server.want
            return self._stranger(tx, host, guest, held) if lost else []

    def changed(self, message: tasks.GuestChanged, now: float) -> list[effects.Effect]:
        """An event is a hint: look."""
        with self._store.read() as tx:
            held = self._store.servers.get(tx, message.guest.uuid)
            if held is None or held.server is None or held.server.host != message.host \
                    or not self._differs(held, message.guest.power):
                return []
            return [self._look(tx, message.host, held)]

    def looked(self, message: tasks.Looked, now: float) -> list[effects.Effect]:
        """What was seen counts only while the record is as it was when the look was asked."""
        with self._store.write() as tx:
            held = self._store.servers.get(tx, message.server)
            if held is None or held.server is None \
                    or held.server.stamp != (message.epoch, message.version) \
                    or held.server.host != message.host:
                return []
            power = lifecycle.NOSTATE if message.power is None else message.power
            changed = lifecycle.observe(held.server, power, now)
            if changed is held.server:
                return []
            LOG.info("server=%s host=%s its guest has power state %d: now %s", held.uuid,
                     message.host, power, changed.rest)
            self._store.servers.save(tx, changed, now)
        return [effects.Wake("relay")]

    def _differs(self, held: server_rows.Held, power: int) -> bool:
        server = held.server
        if server is None or server.verb is not None or not held.confirmed:
            return False
        return lifecycle.observe(server, power, 0.0) is not server

    def _look(self, tx, host: str, held: server_rows.Held) -> effects.Effect:  # noqa: ANN001
        return effects.Cast(address.Host(self._c.cell, host), tasks.Look(
            server=held.uuid, epoch=held.epoch, version=held.version,
            host_uuid=self._c.hosts.uuid(tx, host)))

    def _stranger(self, tx, host: str, guest: tasks.GuestSeen,  # noqa: ANN001
                  held: server_rows.Held | None) -> list[effects.Effect]:
        """A guest that does not belong on this host.  Swept only if the cell knows for sure that
        its server is deleted or lives elsewhere; an unknown one is named and left alone, for a
        database restored from an old copy does not know everything."""
        if held is None:
            LOG.warning("host=%s guest=%s is unknown to this cell; left alone", host, guest.uuid)
            return []
        if held.server is not None and held.server.host == host:
            LOG.warning("host=%s guest=%s runs although its offer was never confirmed here (an old "
                        "copy of the database?); left alone", host, guest.uuid)
            return []
        move = self._store.migrations.open_of(tx, guest.uuid)
        if move is not None and host in move.hosts:
            return []                    # it comes from here, or goes here
        known = (held.epoch, held.server.version if held.server else held.version)
        return [effects.Cast(address.Host(self._c.cell, host), tasks.Sweep(
            server=guest.uuid, epoch=known[0], ticket=known[1],
            host_uuid=self._c.hosts.uuid(tx, host),
            reason="the server is deleted or lives on another host"))]
