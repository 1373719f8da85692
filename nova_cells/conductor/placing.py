"""Placing: offers in, hosts chosen on a snapshot, claimed in one transaction, confirmed.

Until the top confirms, an accepted offer is a row and a claim and nothing else: no port, no
attachment, no guest (law T6).
"""

import logging

from nova_cells.conductor import groups as grouping
from nova_cells.conductor import proposing, slots
from nova_cells.db.cell import servers as server_rows
from nova_cells.domain import (
    address,
    boot,
    commands,
    effects,
    errors,
    lifecycle,
    migration,
    records,
    resources,
    selection,
    tasks,
)
from nova_cells.domain import server as model
from nova_cells.scheduler import choose

LOG = logging.getLogger(__name__)
HERE = migration.HERE            # the role of an allocation that is no move
#: Verbs whose host makes or may have to make the guest: it is told again what it was booted with.
ASKS_AGAIN = frozenset({"boot", "start", "reboot_hard", "resume", "rebuild", "rescue",
                        "unshelve", "live_migrate", "evacuate", "resize", "migrate",
                        "revert_resize"})
ROUNDS = 5                       # choices for one offer before the top is told to try again


class Placing:
    """Accepts or refuses offers, and starts what was confirmed."""

    def __init__(self, conductor, chooser=None) -> None:  # noqa: ANN001
        self._c = conductor
        self._store = conductor.store
        self._library = proposing.Library()
        self.lost = 0                    # choices in vain, for somebody was faster
        self._chooser = chooser or self._library
        self.slots = slots.Slots(self._store, conductor.places,
                                 conductor.settings.upload_retry)

    # -- an offer comes in ----------------------------------------------------------------------

    def offered(self, message: commands.Boot, now: float) -> list[effects.Effect]:
        """Choose on a snapshot, outside any transaction; insert or return existing, and claim in
        the transaction that accepts.  If others were faster everywhere, look at those hosts and
        choose again; if they were again, look at all, and choose in this process."""
        asked = self.ask(message.record, message.request)
        try:
            for attempt in range(ROUNDS):
                chooser = self._chooser if attempt < 2 else self._library
                if attempt > 1:
                    self._c.places.look(now, force=True)
                try:
                    return self._offered(message, asked, chooser, now)
                except errors.Stale as problem:
                    self.lost += 1
                    LOG.info("server=%s epoch=%d is chosen for again: %s", message.server,
                             message.epoch, problem)
        finally:
            self._c.places.settle(message.server)
        raise errors.Conflict("too many changes at once; try again")

    def _offered(self, message: commands.Boot, asked: choose.Request, chooser: proposing.Chooser,
                 now: float) -> list[effects.Effect]:
        proposals, why = self._propose(chooser, message.server, asked, now)
        with self._store.write() as tx:
            held = self._store.servers.get(tx, message.server)
            known = self._known(tx, held, message, now)
            if known is not None:
                return known
            if held is not None:         # an older offer of the same server: never confirmed
                self.forget(tx, held, now)
            elif not proposals:
                return self._refuse(tx, message, why)
            else:
                taken, host = self.claim(tx, message.server, asked, proposals)
                self._accept(tx, message, host, now)
        if held is not None:             # what the older one held is free now
            self._c.places.doubt_host(held.server.host if held.server else None)
            raise errors.Stale("an older offer of it was dropped")
        self._c.places.claimed(taken.provider, taken.generation, asked.amounts)
        return [effects.Wake("relay"), effects.Reply(commands.Done())]

    def _propose(self, chooser: proposing.Chooser, server: str, asked: choose.Request,
                 now: float) -> tuple[list[selection.Proposal], str]:
        """Proposals, best first; or none, and why, which is only said after a fresh look."""
        with self._store.read() as tx:
            wishes = grouping.wishes(self._store, tx, server, asked)
        try:
            return self._first(chooser.propose, server, wishes, now), ""
        except errors.NoPlace:
            self._c.places.look(now, force=True)
        try:
            return self._first(self._library.choose, server, wishes, now), ""
        except errors.NoPlace as problem:
            return [], problem.message

    def best(self, tx, server: str, asked: choose.Request,  # noqa: ANN001
               now: float) -> list[selection.Proposal]:
        """Proposals of this process, best first, inside a transaction that changed no provider."""
        return self._first(self._library.choose, server,
                           grouping.wishes(self._store, tx, server, asked), now)

    def _first(self, propose, server: str, wishes: list[choose.Request],  # noqa: ANN001
               now: float) -> list[selection.Proposal]:
        """Proposals for the first of these requests that any host fits."""
        for asked in wishes[:-1]:
            try:
                return propose(self._c.places, server, asked, now)
            except errors.NoPlace:
                continue
        return propose(self._c.places, server, wishes[-1], now)

    def _known(self, tx, held: server_rows.Held | None, message: commands.Boot,  # noqa: ANN001
               now: float) -> list[effects.Effect] | None:
        """What to do about an offer that is not new; None if it is."""
        if held is None or (held.epoch < message.epoch and not held.confirmed):
            return None
        if held.server is not None and held.epoch == message.epoch:
            self._store.outbox.mark(tx, "server", held.uuid, held.epoch, held.version, now)
            return [effects.Wake("relay"), effects.Reply(commands.Done())]
        return [effects.Cast(address.Collector(self._c.cell), records.Gone(
            server=message.server, epoch=message.epoch, op=message.op))]

    def _accept(self, tx, message: commands.Boot, host: records.HostRecord,  # noqa: ANN001
                now: float) -> None:
        server = model.replace(
            message.record, cell=self._c.cell, host=host.name, node=host.hypervisor_hostname,
            availability_zone=host.availability_zone, epoch=message.epoch, version=1,
            verb="boot", phase=0, ticket=1, want={}, updated_at=now)
        self._store.servers.insert(tx, server, message.request, message.secrets, message.op, now)
        self._c.errands.accepted(tx, server, message.request.attached, now)
        self._store.actions.put(tx, commands.ActionRecord(
            uuid=message.op, server=server.uuid, epoch=server.epoch, version=2, action="create",
            request_id=message.origin.request_id, user_id=message.origin.user_id,
            project_id=message.origin.project_id, start=message.record.created_at,
            updated=now), now)
        LOG.info("server=%s verb=boot epoch=%d accepted on host=%s", server.uuid, server.epoch,
                 host.name)

    def ask(self, server: model.Server, request: boot.BootRequest) -> choose.Request:
        """What the server needs of a host."""
        flavor = server.flavor
        mine = self._c.cell
        return choose.Request(
            amounts=resources.amounts(flavor), shape=resources.shape(flavor),
            required=resources.required_traits(flavor),
            forbidden=resources.forbidden_traits(flavor),
            zone=server.pinned_availability_zone, forced=request.forced_host,
            avoid=frozenset(host for cell, host in request.avoid_hosts if cell == mine),
            only=frozenset(host for cell, host in request.only_hosts if cell == mine),
            tried=frozenset(server.want.get("tried", "").split()), group=request.group)

    def anew(self, tx, server: model.Server, now: float, *, capability: str,  # noqa: ANN001
             role: str = HERE, forced: str | None = None) -> records.HostRecord:
        """A host chosen anew for a server, and claimed, in this transaction, which may not have
        changed anything yet.  Hints that named hosts when it was booted still count; an admin's
        host of then does not.  Raises ``NoPlace``, or ``Stale`` if others were faster."""
        asked, proposals = self.choices(tx, server, now, capability=capability, forced=forced)
        _taken, host = self.claim(tx, server.uuid, asked, proposals, role)
        self._c.places.doubt_host(host.name)     # its next choice looks at it again
        return host

    def choices(self, tx, server: model.Server, now: float, *, capability: str,  # noqa: ANN001
                forced: str | None = None, avoid: set[str] | None = None,
                ) -> tuple[choose.Request, list[selection.Proposal]]:
        """What a server that was booted once needs of a host, and the hosts that can do this (""
        asks for nothing), best first; before this transaction changes any provider."""
        request = self._store.servers.request(tx, server.uuid)
        asked = self.ask(model.replace(server, want={}),
                         model.replace(request, forced_host=forced))
        self._c.places.refresh(tx, now)
        with self._c.places.lock:
            unable = {place.key for place in self._c.places.fleet.all()
                      if capability and capability not in place.capabilities}
        asked = model.replace(asked, avoid=asked.avoid | (avoid or set()) | unable)
        try:
            return asked, self.best(tx, server.uuid, asked, now)
        finally:
            self._c.places.settle(server.uuid)

    def claim(self, tx, server: str, asked: choose.Request,  # noqa: ANN001
              proposals: list[selection.Proposal], role: str = HERE,
              ) -> tuple[selection.Proposal, records.HostRecord]:
        """The first proposal that still holds, claimed.  Raises ``Stale`` if none does: then these
        hosts are looked at again before the next decision."""
        for proposed in proposals:
            now = self._newer(proposed, asked)
            host = self._c.places.host(tx, now.provider, now.version) if now else None
            if host is None or (asked.group is not None and not self._store.groups.fits(
                    tx, asked.group, host.name, server)):
                continue
            if self._store.resources.claim(
                    tx, server, role, now.provider, now.generation, asked.amounts):
                if asked.group is not None:
                    self._store.groups.take(tx, asked.group, host.name, server, role)
                return now, host
        self._c.places.doubt(one.provider for one in proposals)
        raise errors.Stale("every proposed host changed meanwhile")

    def _newer(self, proposed: selection.Proposal,
               asked: choose.Request) -> selection.Proposal | None:
        """The proposal at the newest generation that is known here, if it fits there too."""
        known = self._c.places.place(proposed.provider)
        if known is None or known[1] <= (proposed.version, proposed.generation):
            return proposed
        place, (version, generation) = known
        if not all(keep(place, asked) for _name, keep in choose.HOST_FILTERS):
            return None
        return model.replace(proposed, version=version, generation=generation)

    def _refuse(self, tx, message: commands.Boot, reason: str) -> list[effects.Effect]:  # noqa: ANN001
        slots = self.slots.record(tx, self._store.facts.get(tx), message.record.flavor)
        LOG.info("server=%s epoch=%d refused: %s", message.server, message.epoch, reason)
        return [effects.Cast(address.Collector(self._c.cell), records.Refusal(
            op=message.op, server=message.server, epoch=message.epoch, reason=reason,
            request_id=message.origin.request_id,
            slots=slots)), effects.Reply(commands.Done())]

    # -- the top answers ------------------------------------------------------------------------

    def confirmed(self, tx, held: server_rows.Held,  # noqa: ANN001
                  now: float) -> list[effects.Effect]:
        """It is ours: make the guest."""
        if held.server is None or held.server.deleted \
                or not self._store.servers.confirm(tx, held.uuid, held.epoch):
            return []
        if held.server.verb != "boot":   # an operator's word came before the confirmation
            return []
        server = lifecycle.advance(held.server, 1, now)
        self._store.servers.save(tx, server, now, began_at=now,
                                 due_at=now + self._c.settings.ask_again)
        return [self.task(tx, server), effects.Wake("relay")]

    def moved(self, tx, held: server_rows.Held, now: float) -> None:  # noqa: ANN001
        """It went elsewhere before it was confirmed here: nothing of it stays but, if it was
        deleted meanwhile, the word that it must not come back."""
        if held.confirmed:
            LOG.error("server=%s epoch=%d the top says that a confirmed server moved; kept",
                      held.uuid, held.epoch)
            return
        buried = held.server is None or held.server.deleted
        self.forget(tx, held, now)
        if buried:
            self._store.servers.bury(tx, held.uuid, held.epoch, now)

    def forget(self, tx, held: server_rows.Held, now: float) -> None:  # noqa: ANN001
        """Drop an offer that was never confirmed, with its claim and its action.  ``Stale`` if it
        is not as it was read."""
        self._store.servers.forget(tx, held)
        self._store.errands.forget(tx, held.uuid)
        if held.op:
            self._store.actions.forget(tx, held.op)
        self._store.resources.release(tx, held.uuid)

    # -- on the host ----------------------------------------------------------------------------

    def task(self, tx, server: model.Server) -> effects.Cast:  # noqa: ANN001
        """The task of the verb under way, from what is saved."""
        request, secrets = None, boot.Sealed()
        if server.verb in ASKS_AGAIN:
            request = self._store.servers.request(tx, server.uuid)
            secrets = self._store.servers.secrets(tx, server.uuid)
        wanted = self._store.servers.wanted(tx, server.uuid)
        host = self._c.courses.of(server.verb).host(server, wanted)
        return effects.Cast(address.Host(self._c.cell, host), tasks.Task(
            server=server.uuid, epoch=server.epoch, ticket=server.ticket, verb=server.verb,
            request_id=self._store.actions.request_of(tx, server.uuid),
            record=server, request=request, secrets=secrets, wanted=wanted,
            attached=tuple(self._store.errands.of(tx, server.uuid)),
            host_uuid=self._c.hosts.uuid(tx, host)))

    def again(self, tx, held: server_rows.Held, now: float) -> list[effects.Effect] | None:  # noqa: ANN001
        """The boot failed on its host, which cleaned up: another host of the cell, with a fresh
        ticket.  None if there is none."""
        server, request = held.server, self._store.servers.request(tx, held.uuid)
        tried = [*server.want.get("tried", "").split(), server.host]
        if len(tried) >= request.retries:
            return None
        server = model.replace(server, want={"tried": " ".join(tried)})
        asked = self.ask(server, request)
        self._c.places.refresh(tx, now)          # before this transaction changes anything
        self._store.resources.release(tx, server.uuid)
        try:
            proposals = self.best(tx, server.uuid, asked, now)
        except errors.NoPlace:
            return None
        finally:
            self._c.places.settle(server.uuid)
        _taken, host = self.claim(tx, server.uuid, asked, proposals)
        server = lifecycle.retry(server, now, host=host.name, node=host.hypervisor_hostname)
        self._store.servers.save(tx, server, now, due_at=now + self._c.settings.ask_again)
        return [self.task(tx, server), effects.Wake("relay")]
