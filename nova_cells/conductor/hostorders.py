# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""An operator's word about a host: disable, enable, force down, forget.

A disabled host takes nothing new and serves what it has.  Forgetting leaves a tombstone, which
goes up like any record.  Every word may be repeated.
"""

import logging

import msgspec

from nova_cells.domain import address, commands, effects, errors, records, tasks
from nova_cells.domain import server as model

LOG = logging.getLogger(__name__)


class HostOrders:
    """Carries them out; the answer is the host's record, as with servers."""

    def __init__(self, conductor) -> None:  # noqa: ANN001
        self._c = conductor
        self._store = conductor.store

    def handle(self, message: commands.HostCommand, now: float) -> list[effects.Effect]:
        """One order.  One that came through the collector is answered there, too."""
        try:
            with self._store.write() as tx:
                host = (self._forget(tx, message, now)
                        if isinstance(message, commands.ForgetHost)
                        else self._set(tx, message, now))
                lift = self._store.facts.get(tx).lift
        except (errors.NotFound, errors.Conflict, errors.Unsupported) as problem:
            return [*self._told(message, records.HostSettled(
                order=message.order, problem=problem.message)),
                effects.Reply(errors.as_failure(problem))]
        record = records.Record(kind="host", uuid=host.uuid, epoch=0, host=host,
                                version=host.version + lift * records.LIFT)
        return [*self._told(message, records.HostSettled(order=message.order, record=record)),
                effects.Reply(record), effects.Wake("relay")]

    def cache(self, message: commands.CacheImages) -> list[effects.Effect]:
        """Tell the hosts that are up and can."""
        with self._store.read() as tx:
            hosts = [host for host in self._store.hosts.all(tx) if host.uuid in message.hosts]
        return [effects.Cast(address.Host(self._c.cell, host.name), tasks.FetchImages(
            images=message.images, host_uuid=host.uuid)) for host in hosts
            if host.up and not host.forced_down and "cache_images" in host.capabilities]

    def _told(self, message: commands.HostCommand,
              answer: records.HostSettled) -> list[effects.Effect]:
        return [effects.Cast(address.Collector(self._c.cell), answer)] if message.order else []

    def _set(self, tx, message: commands.HostCommand,  # noqa: ANN001
             now: float) -> records.HostRecord:
        if not isinstance(message, commands.SetHost):
            raise errors.Unsupported(f"this cell does not know {type(message).__name__}; upgrade "
                                     f"it")
        host = self._store.hosts.get(tx, message.host)
        if host is None or host.uuid != message.uuid:
            raise errors.NotFound(f"the cell has no host {message.host} with the uuid "
                                  f"{message.uuid}")
        changed = host
        if message.disabled is not msgspec.UNSET:
            changed = model.replace(changed, disabled=message.disabled, disabled_reason=(
                message.reason if message.disabled else None))
        if message.forced_down is not msgspec.UNSET:
            changed = model.replace(changed, forced_down=message.forced_down)
        if changed == host:
            return host
        self._store.resources.touch(tx, host.uuid)   # who chose by an old snapshot chooses again
        self._store.facts.bump_slots(tx, now)
        LOG.info("host=%s disabled=%s forced_down=%s by user=%s", host.name, changed.disabled,
                 changed.forced_down, message.origin.user_id or "operator")
        return self._store.hosts.put(tx, changed, now)

    def _forget(self, tx, message: commands.ForgetHost,  # noqa: ANN001
                now: float) -> records.HostRecord:
        host = self._store.hosts.by_uuid(tx, message.uuid)
        if host is None or host.name != message.host:
            raise errors.NotFound(f"the cell has no host {message.host} with the uuid "
                                  f"{message.uuid}")
        if host.deleted:
            return host
        known = self._store.resources.provider(tx, host.uuid)     # before those on it are counted
        count = self._store.hosts.servers_on(tx, host.name)
        if count:
            raise errors.Conflict(f"the host {host.name} has {count} servers: delete or move them "
                                  f"first")
        if host.up:
            raise errors.Conflict(f"the host {host.name} is up, and would come back with its next "
                                  f"word: stop its nova-cells-compute first")
        if known is not None:
            self._store.resources.remove(tx, host.uuid, known.generation)
        # What it added to the version of the slots record goes with it; the version must rise.
        self._store.facts.bump_slots(tx, now, by=host.version + 1 + (
            known.generation if known is not None else 0))
        LOG.info("host=%s uuid=%s forgotten", host.name, host.uuid)
        return self._store.hosts.put(tx, model.replace(host, deleted=True), now)
