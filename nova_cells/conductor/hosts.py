# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Hosts as a conductor knows them: they appear by their first word, fall silent, come back.

A host is its name within the cell together with the uuid on its disk (law T16): a word that has
one of the two and not the other is refused, and its agent told.  A word that says nothing new
costs no statement.
"""

import logging
import threading

from nova_cells.conductor import signs
from nova_cells.domain import address, effects, records, resources, tasks
from nova_cells.domain import server as model

LOG = logging.getLogger(__name__)
SAY_AGAIN = 600.0                # seconds after which a refusal is logged once more


class Hosts:
    """Who is there: of several conductors, any may be the one that hears."""

    def __init__(self, conductor) -> None:  # noqa: ANN001
        self._c = conductor
        self._store = conductor.store
        self.signs = signs.Signs(self._store, conductor.ids.uuid(),
                                 conductor.settings.host_down_after)
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str, bool]] = {}    # host -> uuid, up: as last read
        self._said: dict[str, tasks.Hello] = {}          # what it said, and was taken
        self._refused: dict[tuple[str, str], float] = {}     # (host, uuid) -> when it was logged

    def start(self, now: float) -> None:
        """A conductor that just started has heard nobody yet, and accuses nobody for it."""
        self.signs.start()
        with self._lock:
            self._known, self._said = {}, {}

    # -- what hosts say -----------------------------------------------------------------------

    def heard(self, host: str, uuid: str, now: float) -> bool:
        """The host spoke.  False if this is not the host of that name: do not listen."""
        with self._lock:
            known = self._known.get(host)
        if uuid and known is not None and known[0] != uuid:
            return False
        self.signs.heard(host, now)
        return True

    def hello(self, message: tasks.Hello, now: float) -> list[effects.Effect]:
        """A host says what it is and has; one that starts is given its open tasks again."""
        if not self._news(message):
            self.signs.heard(message.host, now)
            return []
        with self._store.write() as tx:
            why = self._stranger(tx, message)
            sent = [] if why else self._learn(tx, message, now)
        if why:
            return self._refuse(message, why, now)
        self.signs.heard(message.host, now)
        with self._lock:
            self._known[message.host] = (message.uuid, True)
            self._said[message.host] = model.replace(message, starting=False)
        return sent

    def _news(self, message: tasks.Hello) -> bool:
        with self._lock:
            return (self._said.get(message.host) != message
                    or self._known.get(message.host) != (message.uuid, True))

    def _learn(self, tx, message: tasks.Hello, now: float) -> list[effects.Effect]:  # noqa: ANN001
        sent: list[effects.Effect] = []
        changed = self._record(tx, message, now)
        if self._store.resources.put(tx, resources.Provider(
                uuid=message.uuid, name=message.node, host=message.host,
                traits=message.traits, inventory=message.inventory)) or changed:
            self._store.facts.bump_slots(tx, now)
            sent.append(effects.Wake("relay"))
        if message.starting:
            sent.append(self._to(message, tasks.Welcome(uuid=message.uuid)))
            sent += [self._c.placing.task(tx, held.server)
                     for held in self._store.servers.open_on(tx, message.host)]
            sent += self._c.errands.on(tx, message.host)
        return sent

    def _record(self, tx, message: tasks.Hello, now: float) -> bool:  # noqa: ANN001
        known = self._store.hosts.by_uuid(tx, message.uuid)
        facts = dict(
            up=True, hypervisor_type=message.hypervisor_type, life=message.life,
            hypervisor_version=message.hypervisor_version, hypervisor_hostname=message.node,
            capabilities=message.capabilities, address=message.address,
            cpu_info=message.cpu_info,
            totals={name: item.total for name, item in message.inventory.items()})
        if known is None or known.deleted:
            fresh = records.HostRecord(uuid=message.uuid, name=message.host, started_at=now,
                                       version=known.version if known else 0, heard_at=now,
                                       availability_zone=self._c.zones.of(tx, message.uuid),
                                       **facts)
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

    def goodbye(self, message: tasks.Goodbye, now: float) -> list[effects.Effect]:
        """A host's agent stops and says so: down at once.  An older life's word is late."""
        with self._store.write() as tx:
            known = self._store.hosts.get(tx, message.host)
            if known is None or not known.up or (known.uuid, known.life) != (
                    message.uuid, message.life):
                return []
            self._down(tx, known, now)
        LOG.info("host=%s said goodbye: down", message.host)
        return [effects.Wake("relay")]

    # -- strangers ----------------------------------------------------------------------------

    def _stranger(self, tx, message: tasks.Hello) -> str | None:  # noqa: ANN001
        """Why this is not the host that it says it is, if so."""
        named = self._store.hosts.get(tx, message.host)
        if named is not None and named.uuid != message.uuid:
            return (f"the cell knows the host {message.host} by the uuid {named.uuid}, and this "
                    f"one has {message.uuid}: give it another name, or, if the old one is gone "
                    f"for good, run: nova-cells-manage host forget CELL {message.host}")
        twin = self._store.hosts.by_uuid(tx, message.uuid)
        if twin is not None and not twin.deleted and twin.name != message.host:
            return (f"the uuid {message.uuid} is that of the host {twin.name}, and this one calls "
                    f"itself {message.host}: name it {twin.name} again, or, if {twin.name} is "
                    f"gone for good, run: nova-cells-manage host forget CELL {twin.name}")
        return None

    def _refuse(self, message: tasks.Hello, why: str, now: float) -> list[effects.Effect]:
        key = (message.host, message.uuid)
        if not 0 <= now - self._refused.get(key, float("-inf")) < SAY_AGAIN:
            self._refused[key] = now
            LOG.error("host=%s uuid=%s refused: %s", message.host, message.uuid, why)
        return [self._to(message, tasks.Refused(uuid=message.uuid, reason=why))]

    def _to(self, message: tasks.Hello, answer) -> effects.Cast:  # noqa: ANN001
        return effects.Cast(address.Host(self._c.cell, message.host), answer)

    # -- who lives ----------------------------------------------------------------------------

    def tick(self, now: float) -> list[effects.Effect]:
        """Hosts that fell silent are down: nothing new is placed there."""
        self.signs.note(now)
        with self._store.read() as tx:
            known = self._store.hosts.names(tx)
            silent = self.signs.read(tx, known, now)
        with self._lock:
            self._known = known
        self.signs.sweep(now)
        sent: list[effects.Effect] = []
        for name in silent:
            if known[name][1]:
                sent += self._silent(name, now)
        return sent

    def _silent(self, name: str, now: float) -> list[effects.Effect]:
        """Looked at once more in the transaction that says so."""
        with self._store.write() as tx:
            known = self._store.hosts.names(tx)
            host = self._store.hosts.get(tx, name)
            if host is None or not host.up or name not in self.signs.read(tx, known, now):
                return []
            self._down(tx, host, now)
        LOG.warning("host=%s is silent: down", name)
        return [effects.Wake("relay")]

    def _down(self, tx, host: records.HostRecord, now: float) -> None:  # noqa: ANN001
        self._store.hosts.put(tx, model.replace(host, up=False, heard_at=now), now)
        self._store.facts.bump_slots(tx, now)
        with self._lock:
            self._known[host.name] = (host.uuid, False)

    def is_up(self, tx, name: str) -> bool:  # noqa: ANN001
        """Whether tasks reach this host."""
        host = self._store.hosts.get(tx, name)
        return host is not None and host.up and not host.forced_down

    def uuid(self, tx, name: str) -> str:  # noqa: ANN001
        """Which host a task for this name is meant for; "" if there is none."""
        with self._lock:
            known = self._known.get(name)
        if known is not None:
            return known[0]
        host = self._store.hosts.get(tx, name)
        return host.uuid if host is not None else ""
