"""Placing: offers in, hosts chosen on a snapshot, claimed in one transaction, confirmed.

Until the top confirms, an accepted offer is a row and a claim and nothing else: no port, no
attachment, no guest (law T6).
"""

import logging
import threading

from nova_cells.db.cell import resources as resource_rows
from nova_cells.db.cell import servers as server_rows
from nova_cells.domain import (
    address,
    boot,
    commands,
    effects,
    errors,
    lifecycle,
    records,
    resources,
    tasks,
)
from nova_cells.domain import server as model
from nova_cells.scheduler import choose, pack

LOG = logging.getLogger(__name__)
HERE = "here"                    # the role of an allocation that is no move


class Places:
    """The cell's hosts as places: a snapshot kept fresh by the providers' generations."""

    def __init__(self, store) -> None:  # noqa: ANN001
        self._store = store
        self._usage: dict[str, resource_rows.Usage] = {}
        self.lock = threading.RLock()    # choose and claim: one at a time within a process

    def read(self, tx) -> list[choose.Place]:  # noqa: ANN001
        """Every host as a place, as of now."""
        with self.lock:
            generations = self._store.resources.generations(tx)
            self._usage = {
                uuid: usage for uuid, usage in self._usage.items()
                if generations.get(uuid) == usage.provider.generation}
            for uuid in generations:
                if uuid not in self._usage:
                    self._usage[uuid] = self._store.resources.usage(tx, uuid)
            return [self._place(host) for host in self._store.hosts.all(tx)
                    if host.uuid in self._usage]

    def _place(self, host: records.HostRecord) -> choose.Place:
        usage = self._usage[host.uuid]
        return choose.Place(
            key=host.name, up=host.up and not host.forced_down, enabled=not host.disabled,
            zones=frozenset({host.availability_zone}), traits=frozenset(usage.provider.traits),
            capabilities=frozenset(host.capabilities), free=usage.free(),
            capacity=usage.capacity(),
            largest={name: item.max_unit for name, item in usage.provider.inventory.items()},
            generations=((usage.provider.uuid, usage.provider.generation),))

    def slots(self, tx, extra: model.Flavor | None = None) -> records.SlotsRecord:  # noqa: ANN001
        """Joint slots of every shape of the catalogue (and of one more flavor)."""
        facts = self._store.facts.get(tx)
        places = [place for place in self.read(tx) if place.up and place.enabled]
        flavors = {resources.shape(flavor): flavor for flavor in self._store.facts.flavors(tx)}
        if extra is not None:
            flavors[resources.shape(extra)] = extra
        zones: dict[str, dict[str, int]] = {}
        for shape, flavor in flavors.items():
            request = choose.Request(amounts=resources.amounts(flavor),
                                     required=resources.required_traits(flavor),
                                     forbidden=resources.forbidden_traits(flavor))
            for place in places:
                if choose.trait_filter(place, request) and choose.resource_filter(place, request):
                    fits = pack.joint_slots(request.amounts, place.free)
                    for zone in place.zones:
                        by_shape = zones.setdefault(zone, {})
                        by_shape[shape] = by_shape.get(shape, 0) + fits
        for place in places:
            for zone in place.zones:
                for shape in flavors:
                    zones.setdefault(zone, {}).setdefault(shape, 0)
        total = {shape: sum(zone.get(shape, 0) for zone in zones.values()) for shape in flavors}
        full = [pack.fullness(place.free, place.capacity) for place in places]
        return records.SlotsRecord(
            cell=facts.uuid, version=facts.lift * records.LIFT + facts.slots, slots=total,
            zones=zones, catalogue=facts.catalogue, hosts=len(places),
            fullness=sum(full) / len(full) if full else 1.0)


class Placing:
    """Accepts or refuses offers, and starts what was confirmed."""

    def __init__(self, conductor, chooser=None) -> None:  # noqa: ANN001
        self._c = conductor
        self._store = conductor.store
        self._chooser = chooser or choose.Library()

    # -- an offer comes in ----------------------------------------------------------------------

    def offered(self, message: commands.Boot, now: float) -> list[effects.Effect]:
        """Insert or return existing; choose; claim in the transaction that accepts."""
        with self._c.places.lock:
            with self._store.write() as tx:
                known = self._known(tx, message, now)
                if known is not None:
                    return known
                try:
                    self._accept(tx, message, now)
                except errors.NoPlace as problem:
                    return self._refuse(tx, message, problem.message)
        return [effects.Wake("relay"), effects.Reply(commands.Done())]

    def _known(self, tx, message: commands.Boot,  # noqa: ANN001
               now: float) -> list[effects.Effect] | None:
        """What to do about an offer that is not new; None if it is."""
        held = self._store.servers.get(tx, message.server)
        if held is None or (held.epoch < message.epoch and not held.confirmed):
            if held is not None:         # an older offer of the same server: never confirmed
                self.forget(tx, held, now)
            return None
        if held.server is not None and held.epoch == message.epoch:
            self._store.outbox.mark(tx, "server", held.uuid, held.epoch, held.version, now)
            return [effects.Wake("relay"), effects.Reply(commands.Done())]
        return [effects.Cast(address.Collector(self._c.cell), records.Gone(
            server=message.server, epoch=message.epoch, op=message.op))]

    def _accept(self, tx, message: commands.Boot, now: float) -> None:  # noqa: ANN001
        asked = self._ask(message.record, message.request)
        host = self.claim(tx, message.record, asked)
        server = model.replace(
            message.record, cell=self._c.cell, host=host.name, node=host.hypervisor_hostname,
            availability_zone=host.availability_zone, epoch=message.epoch, version=1,
            verb="boot", phase=0, ticket=1, want={}, updated_at=now)
        self._store.servers.insert(tx, server, message.request, message.secrets, message.op, now)
        self._store.actions.put(tx, commands.ActionRecord(
            uuid=message.op, server=server.uuid, epoch=server.epoch, version=2, action="create",
            request_id=message.origin.request_id, user_id=message.origin.user_id,
            project_id=message.origin.project_id, start=message.record.created_at,
            updated=now), now)
        # Goes up with the record, so that the top's count is right when the offer is closed.
        self._store.facts.bump_slots(tx, now)
        LOG.info("server=%s verb=boot epoch=%d accepted on host=%s", server.uuid, server.epoch,
                 host.name)

    def _ask(self, server: model.Server, request: boot.BootRequest) -> choose.Request:
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
            tried=frozenset(server.want.get("tried", "").split()))

    def claim(self, tx, server: model.Server, asked: choose.Request):  # noqa: ANN001, ANN201
        """The best host, claimed.  Raises ``NoPlace``, or ``Stale`` if others were faster."""
        for place in self._chooser.hosts(asked, self._c.places.read(tx)):
            provider, generation = place.generations[0]
            if self._store.resources.claim(tx, server.uuid, HERE, provider, generation,
                                           asked.amounts):
                return self._store.hosts.get(tx, place.key)
        raise errors.Stale("every proposed host changed meanwhile")

    def _refuse(self, tx, message: commands.Boot, reason: str) -> list[effects.Effect]:  # noqa: ANN001
        slots = self._c.places.slots(tx, message.record.flavor)
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
        """Drop an offer that was never confirmed, with its claim and its action."""
        self._store.servers.forget(tx, held.uuid, held.epoch)
        if held.op:
            self._store.actions.forget(tx, held.op)
        if self._store.resources.release(tx, held.uuid):
            self._store.facts.bump_slots(tx, now)

    # -- on the host ----------------------------------------------------------------------------

    def task(self, tx, server: model.Server) -> effects.Cast:  # noqa: ANN001
        """The task of the verb under way, from what is saved."""
        request, secrets = None, boot.Sealed()
        if server.verb in ("boot", "start", "reboot_hard", "resume"):
            request = self._store.servers.request(tx, server.uuid)
            secrets = self._store.servers.secrets(tx, server.uuid)
        return effects.Cast(address.Host(self._c.cell, server.host), tasks.Task(
            server=server.uuid, epoch=server.epoch, ticket=server.ticket, verb=server.verb,
            request_id=self._store.actions.request_of(tx, server.uuid),
            record=server, request=request, secrets=secrets,
            host_uuid=self._c.hosts.uuid(tx, server.host)))

    def again(self, tx, held: server_rows.Held, now: float) -> list[effects.Effect] | None:  # noqa: ANN001
        """The boot failed on its host, which cleaned up: another host of the cell, with a fresh
        ticket.  None if there is none."""
        server, request = held.server, self._store.servers.request(tx, held.uuid)
        tried = [*server.want.get("tried", "").split(), server.host]
        if len(tried) >= request.retries:
            return None
        server = model.replace(server, want={"tried": " ".join(tried)})
        self._store.resources.release(tx, server.uuid)
        try:
            host = self.claim(tx, server, self._ask(server, request))
        except errors.NoPlace:
            return None
        server = lifecycle.retry(server, now, host=host.name, node=host.hypervisor_hostname)
        self._store.servers.save(tx, server, now, due_at=now + self._c.settings.ask_again)
        self._store.facts.bump_slots(tx, now)
        return [self.task(tx, server), effects.Wake("relay")]
