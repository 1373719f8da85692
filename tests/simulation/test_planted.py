# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Planted bugs: take one guard out, and the simulation notices within a few seeds."""

import collections.abc
import contextlib
from unittest import mock

import sqlalchemy as sa
import testtools

from nova_cells.compute import agent
from nova_cells.conductor import placing, reports
from nova_cells.db import engine
from nova_cells.db.cell import outbox, resources
from nova_cells.db.cell import servers as cell_servers
from nova_cells.db.cell import tables as cell_tables
from nova_cells.db.view import intents, offers
from nova_cells.db.view import servers as view_servers
from nova_cells.domain import lifecycle
from tests.simulation import workload

MOST = 60                        # seeds until a planted bug must have been noticed

bugs: dict[str, collections.abc.Callable[[], contextlib.AbstractContextManager]] = {}


def bug(target: object, method: str):  # noqa: ANN201
    """Plant the decorated function in the place of a method."""
    def plant(function):  # noqa: ANN001, ANN202
        bugs[function.__name__] = lambda: mock.patch.object(target, method, function)
        return function
    return plant


class Planted(testtools.TestCase):
    def noticed(self, name: str) -> str:
        """What the simulation said about it, and when."""
        for seed in range(MOST):
            with bugs[name]():
                try:
                    workload.Run(seed).go()
                except AssertionError as problem:
                    return f"seed {seed}: {problem}"
        return ""


def _test(name: str):  # noqa: ANN202
    def test(self: Planted) -> None:
        said = self.noticed(name)
        self.addDetail("noticed", testtools.content.text_content(said))
        self.assertTrue(said, f"{name} was not noticed within {MOST} seeds")
    return test


# -- the view -------------------------------------------------------------------------------------

def _apply_all(self, tx, servers, cell, now, *guards):  # noqa: ANN001, ANN002, ANN202
    t = view_servers.t
    for server in servers:
        where = [t.c.uuid == server.uuid, t.c.placed]
        if "cell" in guards:
            where.append(t.c.cell == cell)
        if "epoch" in guards:
            where.append(t.c.epoch == server.epoch)
        if "version" in guards:
            where.append(t.c.version < server.version)
        tx.execute(sa.update(t).where(*where).values(**view_servers.columns(server, now)))
    return self.holdings(tx, [server.uuid for server in servers])


@bug(view_servers.Servers, "apply_all")
def record_applied_without_its_version(self, tx, servers, cell, now):  # noqa: ANN001, ANN201
    """An older record of the same placement wins over a newer one."""
    return _apply_all(self, tx, servers, cell, now, "cell", "epoch")


@bug(view_servers.Servers, "apply_all")
def record_applied_without_its_epoch(self, tx, servers, cell, now):  # noqa: ANN001, ANN201
    """A cell that lost the offer still writes the server's row."""
    return _apply_all(self, tx, servers, cell, now, "version")


@bug(offers.Offers, "confirm")
def confirmed_without_a_swap(self, tx, server, epoch, cell):  # noqa: ANN001, ANN201
    """Whoever asks is told that the server is theirs."""
    return True


@bug(offers.Offers, "confirm")
def confirmed_at_any_epoch(self, tx, server, epoch, cell):  # noqa: ANN001, ANN201
    """An answer to an offer that was made again since closes the new one."""
    return engine.swapped(tx.execute(sa.delete(offers.t).where(offers.t.c.server == server)))


@bug(intents.Intents, "keep")
def delete_not_kept(self, *args, **more):  # noqa: ANN001, ANN002, ANN003, ANN201
    """The delete for a cell that does not answer is forgotten."""


# -- the cell -------------------------------------------------------------------------------------

@bug(outbox.Outbox, "clear_all")
def outbox_cleared_too_far(self, tx, arrived):  # noqa: ANN001, ANN201
    """An acknowledgement of what was sent also clears what happened since."""
    for kind, uuid, _epoch, _version in arrived:
        self.drop(tx, kind, uuid)


@bug(resources.Resources, "claim")
def claimed_at_any_generation(self, tx, server, role, provider, generation,  # noqa: ANN001, ANN201
                              amounts):  # noqa: ANN001
    """What was proposed on an old snapshot is taken, though others were faster."""
    a = cell_tables.allocations
    tx.execute(sa.update(resources.p).where(resources.p.c.uuid == provider).values(
        generation=resources.p.c.generation + 1))
    tx.execute(sa.insert(a), [{"server": server, "role": role, "provider": provider,
                               "resource_class": name, "used": amount}
                              for name, amount in amounts.items()])
    return True


ACCEPT = placing.Placing._accept


@bug(placing.Placing, "_accept")
def boot_without_confirmation(self, tx, message, host, now):  # noqa: ANN001, ANN201
    """The guest is made as soon as the offer is accepted."""
    ACCEPT(self, tx, message, host, now)
    held = self._store.servers.get(tx, message.server)
    self.sent_early = self.confirmed(tx, held, now)


@bug(cell_servers.Servers, "bury")
def no_tombstone(self, *args, **more):  # noqa: ANN001, ANN002, ANN003, ANN201
    """A delete that overtook its boot leaves no word that it was here."""


@bug(lifecycle, "owns")
def report_without_its_ticket(server, epoch, ticket):  # noqa: ANN001, ANN201
    """Any report ends whatever verb is under way."""
    return server.verb is not None


@bug(reports.Reports, "_stranger")
def strangers_stay(self, tx, host, guest, held):  # noqa: ANN001, ANN201
    """A guest that does not belong on a host is left there, whatever the cell knows."""
    return []


# -- the host -------------------------------------------------------------------------------------

DO = agent.Agent._do


class _Blind:
    """A journal that does not remember a newer ticket."""

    def __init__(self, journal, stamp):  # noqa: ANN001
        self._journal, self._stamp = journal, stamp

    def read(self, server):  # noqa: ANN001, ANN201
        entry = self._journal.read(server)
        return None if entry is not None and entry.stamp > self._stamp else entry

    def write(self, server, entry):  # noqa: ANN001, ANN201
        self._journal.write(server, entry)


@bug(agent.Agent, "_do")
def task_without_its_ticket(self, task):  # noqa: ANN001, ANN201
    """A host does what it is told, however late it is told."""
    journal, self.journal = self.journal, _Blind(self.journal, task.stamp)
    try:
        return DO(self, task)
    finally:
        self.journal = journal


for _name in bugs:
    setattr(Planted, f"test_{_name}", _test(_name))
