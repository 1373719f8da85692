"""Hosts: they appear by their first word, and are down when they fall silent."""

import logging

from nova_cells.domain import effects, records, resources, tasks
from nova_cells.domain import server as model

LOG = logging.getLogger(__name__)


class Hosts:
    """Who is there, by this conductor's own clock: of several, any may be the one that hears."""

    def __init__(self, conductor) -> None:  # noqa: ANN001
        self._c = conductor
        self._store = conductor.store
        self._seen: dict[str, tuple[float, float]] = {}      # host -> (heard_at, seen at)

    def start(self, now: float) -> None:
        """A conductor that just started has heard nobody yet, and accuses nobody for it."""
        self._seen.clear()

    def heard(self, host: str, now: float) -> None:
        """The host spoke, to one of the cell's conductors; the others read it."""
        with self._store.write() as tx:
            self._store.hosts.heard(tx, host, now)

    def hello(self, message: tasks.Hello, now: float) -> list[effects.Effect]:
        """A host says what it is and has; one that starts is given its open tasks again."""
        sent: list[effects.Effect] = []
        with self._store.write() as tx:
            self._store.hosts.heard(tx, message.host, now)
            changed = self._record(tx, message, now)
            if self._store.resources.put(tx, resources.Provider(
                    uuid=message.uuid, name=message.node, host=message.host,
                    traits=message.traits, inventory=message.inventory)) or changed:
                self._store.facts.bump_slots(tx, now)
                sent.append(effects.Wake("relay"))
            if message.starting:
                sent += [self._c.placing.task(tx, held.server)
                         for held in self._store.servers.open_on(tx, message.host)]
        return sent

    def _record(self, tx, message: tasks.Hello, now: float) -> bool:  # noqa: ANN001
        known = self._store.hosts.get(tx, message.host)
        if known is not None and known.uuid != message.uuid:
            LOG.error("host=%s has uuid %s, but %s was known by that name; refused: rename the "
                      "host, or forget the old one", message.host, message.uuid, known.uuid)
            return False
        facts = dict(
            up=True, hypervisor_type=message.hypervisor_type,
            hypervisor_version=message.hypervisor_version, hypervisor_hostname=message.node,
            capabilities=message.capabilities,
            totals={name: item.total for name, item in message.inventory.items()})
        if known is None:
            fresh = records.HostRecord(uuid=message.uuid, name=message.host, version=0,
                                       started_at=now, heard_at=now, **facts)
            self._store.hosts.put(tx, fresh, now)
            LOG.info("host=%s uuid=%s appeared", message.host, message.uuid)
            return True
        changed = model.replace(known, **facts)
        if message.starting:
            changed = model.replace(changed, started_at=now)
        if changed == known:
            return False
        self._store.hosts.put(tx, model.replace(changed, heard_at=now), now)
        return True

    def tick(self, now: float) -> list[effects.Effect]:
        """Hosts that fell silent are down: nothing new is placed there.  Only whether ``heard_at``
        moves counts, not what it says: clocks of other conductors may be wrong (law T17)."""
        sent: list[effects.Effect] = []
        with self._store.read() as tx:
            hosts = self._store.hosts.signs(tx)
        for name, up, heard_at in hosts:
            before, seen = self._seen.get(name, (-1.0, now))
            if before != heard_at or now < seen:
                self._seen[name] = (heard_at, now)
            elif up and now - seen > self._c.settings.host_down_after:
                sent += self._silent(name, heard_at, now)
        return sent

    def _silent(self, name: str, heard_at: float, now: float) -> list[effects.Effect]:
        with self._store.write() as tx:
            if not self._store.hosts.silent(tx, name, heard_at):
                return []
            known = self._store.hosts.get(tx, name)
            self._store.hosts.put(tx, model.replace(known, up=False, heard_at=heard_at), now)
            self._store.facts.bump_slots(tx, now)
        LOG.warning("host=%s is silent: down", name)
        return [effects.Wake("relay")]

    def is_up(self, tx, name: str) -> bool:  # noqa: ANN001
        """Whether tasks reach this host."""
        host = self._store.hosts.get(tx, name)
        return host is not None and host.up and not host.forced_down
