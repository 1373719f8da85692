# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Many at once: every decision has one winner, whatever the database."""

import random
import uuid
from unittest import mock

from oslo_db import exception as db_exc

from nova_cells import clock
from nova_cells.api import orders
from nova_cells.db import again
from nova_cells.db.view import offers as offering
from nova_cells.domain import boot, commands, errors
from nova_cells.domain import resources as resource_model
from nova_cells.domain import server as model
from tests.unit.db import base
from tests.unit.db.view.test_listing import server

CELLS = [f"ce110000-0000-4000-8000-00000000000{n}" for n in range(3)]
ORIGIN = commands.Origin()
MOST = 20                        # tries of one who loses swaps; the database is not to blame


class Claims(base.DatabaseTestCase):
    """A host with room for ten, and forty who want in (T8)."""

    def setUp(self):
        super().setUp()
        self.db = self.store(max_overflow=60)
        with self.db.write() as tx:
            for name in ("p1", "p2"):
                self.db.resources.put(tx, resource_model.Provider(
                    uuid=name, name=name, host=name,
                    inventory={"VCPU": resource_model.Inventory(total=10)}))

    def claim(self, number):
        def once():
            with self.db.write() as tx:
                usage = self.db.resources.usage(tx, "p1")
                if usage.free()["VCPU"] < 1:
                    return "full"
                if not self.db.resources.claim(tx, f"s{number}", "here", "p1",
                                               usage.provider.generation, {"VCPU": 1}):
                    raise errors.Stale("somebody was faster")
                self.db.facts.bump_slots(tx, 1.0)
            return "claimed"
        for _ in range(MOST):
            try:
                return again.decide(once)
            except errors.Stale:
                continue
        return "gave up"

    def test_never_more_than_there_is(self):
        self.db.identity("cell")
        outcomes = self.race(40, self.claim)
        self.assertEqual((10, 30), (outcomes.count("claimed"), outcomes.count("full")), outcomes)
        with self.db.read() as tx:
            self.assertEqual({"VCPU": 10}, self.db.resources.usage(tx, "p1").used)
            self.assertEqual(10, self.db.facts.get(tx).slots)

    def test_claims_and_releases_leave_what_is_held(self):
        self.db.identity("cell")

        def mixed(number):
            outcome = self.claim(number)
            if outcome == "claimed" and number % 2:
                def release():
                    with self.db.write() as tx:
                        self.assertTrue(self.db.resources.release(tx, f"s{number}"))
                again.decide(release)
                return "released"
            return outcome
        outcomes = self.race(20, mixed)
        with self.db.read() as tx:
            held = self.db.resources.held(tx)
        self.assertEqual(outcomes.count("claimed"), len(held), outcomes)
        self.assertLessEqual(len(held), 10)

    def test_one_identity(self):
        found = self.race(12, lambda _number: self.db.identity("cell").uuid)
        self.assertEqual(1, len(set(found)), found)


class Offers(base.DatabaseTestCase):
    """Confirming an offer and moving it on: exactly one wins (T6)."""

    def setUp(self):
        super().setUp()
        self.db = self.view(max_overflow=60)

    def offer(self, number):
        record = server(number, version=0, rest="active", verb="boot", phase=0)
        made = offering.Offer(
            server=record.uuid, epoch=1, cell=CELLS[0], shape="s", op=str(uuid.uuid4()),
            origin=ORIGIN, request=boot.BootRequest(), secrets=boot.Sealed(), created_at=1.0)
        with self.db.write() as tx:
            self.db.servers.insert(tx, record, 1.0)
            self.db.offers.insert(tx, made, 1.0)
        return record, made

    def test_confirm_against_move_against_withdraw(self):
        for number in range(8):
            record, offer = self.offer(number)

            def confirm(record=record):
                with self.db.write() as tx:
                    done = self.db.placing.confirm(
                        tx, model.replace(record, version=1, cell=CELLS[0]), CELLS[0], 2.0)
                return "confirmed" if done else "moved"

            def move(record=record, offer=offer):
                with self.db.write() as tx:
                    moved = self.db.offers.move(tx, offer, CELLS[1], (CELLS[0],), 2.0)
                    if moved is not None:
                        self.db.placing._own(tx, model.replace(record, epoch=2), 2.0, 1)
                return "moved on" if moved else "late"

            def withdraw(record=record):
                try:
                    with self.db.write() as tx:
                        done = self.db.placing.withdraw(tx, record, ORIGIN, str(uuid.uuid4()), 2.0)
                except errors.Stale:
                    return "stale"
                return "withdrawn" if done else "late"
            racers = [confirm, move, withdraw] * 3
            outcomes = self.race(9, lambda place, racers=racers: again.decide(racers[place]))
            winners = [one for one in outcomes if one in ("confirmed", "moved on", "withdrawn")]
            self.assertEqual(1, len(winners), outcomes)
            with self.db.read() as tx:
                row = self.db.servers.row(tx, record.uuid)
                offer = self.db.offers.get(tx, record.uuid)
            self.assertEqual({"confirmed": (True, 1, False, None), "moved on": (False, 2, False, 2),
                              "withdrawn": (False, 2, True, None)}[winners[0]],
                             (row.placed, row.epoch, row.deleted, offer and offer.epoch))


class Apply(base.DatabaseTestCase):
    """Records in any order, any number of times, by several collectors at once (T2)."""

    def test_the_newest_stays_and_its_metadata_with_it(self):
        view = self.view(max_overflow=60)
        with view.write() as tx:
            view.servers.insert_all(tx, [server(n, version=1) for n in range(5)], 1.0, CELLS[0])
        uploads = []
        for version in range(2, 12):
            for cell in (CELLS[0], CELLS[1]):    # the second holds nothing here
                uploads += [(cell, [server(
                    n, version=version, name=f"{cell}-{version}",
                    metadata={"version": str(version), f"only-{version}": "x"},
                    tags=(f"t{version}",)) for n in range(5)])] * 2
        random.Random(7).shuffle(uploads)
        seen: list[int] = []

        def collect(number):
            for cell, records in uploads[number::8]:
                def once(cell=cell, records=records):
                    with view.write() as tx:
                        view.servers.apply_all(tx, records, cell, 2.0)
                again.decide(once)
                with view.read() as tx:
                    seen.append(view.servers.holding(tx, records[0].uuid).version)
            return "done"
        self.assertEqual(["done"] * 8, self.race(8, collect))
        with view.read() as tx:
            for number in range(5):
                row = view.servers.row(tx, server(number).uuid)
                self.assertEqual((11, f"{CELLS[0]}-11"), (row.version, row.name))
                self.assertEqual(11, view.servers.record(tx, row.uuid).version)
            metadata = tx.exec_driver_sql("SELECT server, value FROM server_metadata").all()
            tags = tx.exec_driver_sql("SELECT server, tag FROM server_tags").all()
        self.assertEqual({"11", "x"}, {value for _server, value in metadata})
        self.assertEqual((10, 5), (len(metadata), len(tags)))
        self.assertEqual({"t11"}, {tag for _server, tag in tags})

    def test_the_outbox_keeps_what_changed_meanwhile(self):
        store = self.store(max_overflow=60)

        def change(number):
            for version in range(1, 21):
                def once(version=version):
                    with store.write() as tx:
                        store.outbox.mark(tx, "server", f"u{number}", 1, version, 1.0)
                again.decide(once)
            return "done"

        def clear(_number):
            for _ in range(30):
                def once():
                    with store.write() as tx:
                        marks = store.outbox.marks(tx, 100)
                        store.outbox.clear_all(tx, marks)
                again.decide(once)
            return "done"
        self.assertEqual(["done"] * 8, self.race(
            8, lambda number: (change if number < 4 else clear)(number)))
        with store.read() as tx:
            left = store.outbox.marks(tx, 100)
        self.assertLessEqual({version for *_which, version in left}, {20})
        with store.write() as tx:
            store.outbox.clear_all(tx, left)
            self.assertEqual(0, store.outbox.length(tx))


class Quota(base.DatabaseTestCase):
    """A whole accept, not only its guard: a hundred for ten places (T11)."""

    def test_boot_orders(self):
        view = self.view(max_overflow=110, quota_defaults={"instances": 10, "cores": -1,
                                                           "ram": -1})
        with view.write() as tx:
            view.cells.create(tx, CELLS[0], "one", "local://", 1.0)
        api = orders.Orders(view, clock.RandomIds())

        def create(number):
            record = server(number, version=0, verb=None)
            return api.boot(orders.Asked(records=(record,), request=boot.BootRequest()), 1.0)
        outcomes = self.race(100, create)
        made = [one for one in outcomes if isinstance(one, orders.Accepted)]
        over = [one for one in outcomes if isinstance(one, errors.OverLimit)]
        self.assertEqual((10, 90), (len(made), len(over)), outcomes)
        with view.read() as tx:
            self.assertEqual(10, view.quota.usage(tx, "p")["instances"].total)
            self.assertEqual(10, view.offers.count(tx, CELLS[0]))

    def test_one_request_sent_by_many_at_once(self):
        """With one key: one makes the server, all others are told of it."""
        view = self.view(max_overflow=40, quota_defaults={"instances": -1, "cores": -1,
                                                          "ram": -1})
        with view.write() as tx:
            view.cells.create(tx, CELLS[0], "one", "local://", 1.0)
        api = orders.Orders(view, clock.RandomIds())

        def create(number):
            return api.boot(orders.Asked(
                records=(server(number, version=0, verb=None),), request=boot.BootRequest(),
                once=orders.Once(name="k", digest="d", reply=b"%d" % number, until=9.0)), 1.0)
        outcomes = self.race(30, create)
        made = [one.servers[0] for one in outcomes if one.kept is None]
        self.assertEqual(1, len(made), outcomes)
        self.assertEqual(29, len([one for one in outcomes if one.kept is not None]))
        self.assertEqual(1, len({one.kept.reply for one in outcomes if one.kept is not None}))
        with view.read() as tx:
            self.assertEqual(1, view.quota.usage(tx, "p")["instances"].total)

    def test_a_boot_whose_commit_was_not_answered_is_not_decided_again(self):
        """It may have been carried out, and was: one server, whatever its client is told."""
        view = self.view(quota_defaults={"instances": 10, "cores": -1, "ram": -1})
        with view.write() as tx:
            view.cells.create(tx, CELLS[0], "one", "local://", 1.0)
        api, dialect = orders.Orders(view, clock.RandomIds()), view.engine.dialect
        commit = dialect.do_commit

        def unheard(connection):
            commit(connection)
            raise db_exc.DBConnectionError(ValueError("injected"))
        with mock.patch.object(dialect, "do_commit", unheard):
            self.assertRaises(db_exc.DBConnectionError, api.boot, orders.Asked(
                records=(server(1, version=0, verb=None),), request=boot.BootRequest()), 1.0)
        with view.read() as tx:
            self.assertEqual(1, view.quota.usage(tx, "p")["instances"].total)
            self.assertEqual(1, view.offers.count(tx, CELLS[0]))
