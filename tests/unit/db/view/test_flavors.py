# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Flavors: visibility, paging, extra specs, access, and a catalogue that always moves."""

from nova_cells.db.view import flavors
from nova_cells.domain import errors
from nova_cells.domain import server as model
from tests.unit.db.view import test_quota


def flavor(name="small", **values):
    fields = {"id": f"id-{name}", "name": name, "vcpus": 1, "ram_mb": 64, "disk_gb": 1}
    return model.Flavor(**(fields | values))


class Base(test_quota.Base):
    def setUp(self):
        super().setUp()
        self.flavors = flavors.Flavors()

    def make(self, *wanted):
        with self.db.write() as tx:
            for one in wanted:
                self.flavors.create(tx, one, 1.0)

    def names(self, **query):
        with self.db.read() as tx:
            return [one.name for one in self.flavors.list(tx, flavors.Query(**query))]

    def version(self):
        with self.db.read() as tx:
            return self.flavors.catalogue(tx)[0]


class Create(Base):
    def test_comes_back_whole(self):
        whole = flavor(ephemeral_gb=2, swap_mb=3, rxtx_factor=1.5, public=False,
                       description="d", extra_specs={"hw:x": "1", "a": "2"})
        self.make(whole)
        with self.db.read() as tx:
            self.assertEqual(whole, self.flavors.get(tx, whole.id))

    def test_taken_name_and_taken_id(self):
        self.make(flavor())
        with self.db.write() as tx:
            name = self.assertRaises(errors.Conflict, self.flavors.create, tx,
                                     flavor(id="other"), 1.0)
            taken = self.assertRaises(errors.Conflict, self.flavors.create, tx,
                                      flavor("other", id="id-small"), 1.0)
        self.assertEqual("Flavor with name small already exists.", str(name))
        self.assertEqual("Flavor with ID id-small already exists.", str(taken))

    def test_nothing_there(self):
        with self.db.write() as tx:
            for call in (lambda: self.flavors.get(tx, "no"),
                         lambda: self.flavors.delete(tx, "no"),
                         lambda: self.flavors.describe(tx, "no", "text"),
                         lambda: self.flavors.set_specs(tx, "no", {"a": "b"}),
                         lambda: self.flavors.delete_spec(tx, "no", "a"),
                         lambda: self.flavors.grant(tx, "no", "p"),
                         lambda: self.flavors.revoke(tx, "no", "p"),
                         lambda: self.flavors.access(tx, "no")):
                error = self.assertRaises(errors.NotFound, call)
                self.assertEqual("Flavor no could not be found.", str(error))


class Visibility(Base):
    def setUp(self):
        super().setUp()
        self.make(flavor("open"), flavor("mine", public=False), flavor("hers", public=False))
        with self.db.write() as tx:
            self.flavors.grant(tx, "id-mine", "p")

    def test_lists(self):
        self.assertEqual(["open"], self.names())
        self.assertEqual(["mine", "open"], self.names(project="p"))
        self.assertEqual(["hers", "mine"], self.names(public=False, project="p"))
        self.assertEqual(["hers", "mine", "open"], self.names(public=None, project="p"))

    def test_get(self):
        with self.db.read() as tx:
            self.assertEqual("mine", self.flavors.get(tx, "id-mine", project="p").name)
            self.assertEqual("open", self.flavors.get(tx, "id-open", project="p").name)
            self.assertRaises(errors.NotFound, self.flavors.get, tx, "id-hers", project="p")

    def test_grant_twice_and_revoke_twice(self):
        with self.db.write() as tx:
            self.assertRaises(errors.Conflict, self.flavors.grant, tx, "id-mine", "p")
            self.assertEqual(["p"], self.flavors.access(tx, "id-mine"))
            self.flavors.revoke(tx, "id-mine", "p")
            self.assertRaises(errors.NotFound, self.flavors.revoke, tx, "id-mine", "p")
        self.assertEqual(["open"], self.names(project="p"))


class Paging(Base):
    def setUp(self):
        super().setUp()
        self.make(*(flavor(f"f{n}", ram_mb=64 * (1 + n % 3), disk_gb=n) for n in range(10)))

    def pages(self, size, **query):
        found, marker = [], None
        while page := self.names(limit=size, marker=marker, **query):
            found.append(page)
            marker = f"id-{page[-1]}"
        return found

    def test_pages_add_up_in_every_order(self):
        for query in ({}, {"descending": True}, {"sort_key": "memory_mb"},
                      {"sort_key": "memory_mb", "descending": True}, {"min_ram": 128},
                      {"sort_key": "is_public"}):
            whole = self.names(**query)
            pages = self.pages(3, **query)
            self.assertEqual(whole, sum(pages, []), query)
            self.assertEqual(len(set(whole)), len(whole))

    def test_filters(self):
        self.assertEqual(["f9"], self.names(min_disk=9))
        self.assertEqual(["f2", "f5", "f8"], self.names(min_ram=129))
        self.assertEqual([], self.names(min_disk=10))

    def test_unknown_marker_and_sort_key(self):
        self.assertRaises(errors.Invalid, self.names, marker="nobody")
        self.assertRaises(errors.Invalid, self.names, sort_key="color")


class Specs(Base):
    def test_set_replaces_and_keeps(self):
        self.make(flavor(extra_specs={"a": "1", "b": "2"}))
        with self.db.write() as tx:
            self.flavors.set_specs(tx, "id-small", {"b": "3", "c": "4"})
            self.flavors.delete_spec(tx, "id-small", "a")
            error = self.assertRaises(errors.NotFound, self.flavors.delete_spec, tx,
                                      "id-small", "a")
            specs = self.flavors.get(tx, "id-small").extra_specs
        self.assertEqual({"b": "3", "c": "4"}, specs)
        self.assertEqual("Flavor id-small has no extra specs with key a.", str(error))

    def test_deleted_with_the_flavor(self):
        self.make(flavor(extra_specs={"a": "1"}))
        with self.db.write() as tx:
            self.flavors.delete(tx, "id-small")
        self.make(flavor())
        with self.db.read() as tx:
            self.assertEqual({}, self.flavors.get(tx, "id-small").extra_specs)


class Catalogue(Base):
    def test_empty(self):
        with self.db.read() as tx:
            self.assertEqual((0, ()), self.flavors.catalogue(tx))

    def test_every_change_moves_it(self):
        seen = [self.version()]
        for change in (lambda tx: self.flavors.create(tx, flavor(), 1.0),
                       lambda tx: self.flavors.describe(tx, "id-small", "text"),
                       lambda tx: self.flavors.set_specs(tx, "id-small", {"a": "b"}),
                       lambda tx: self.flavors.delete_spec(tx, "id-small", "a"),
                       lambda tx: self.flavors.grant(tx, "id-small", "p"),
                       lambda tx: self.flavors.revoke(tx, "id-small", "p"),
                       lambda tx: self.flavors.delete(tx, "id-small")):
            with self.db.write() as tx:
                change(tx)
            seen.append(self.version())
        self.assertEqual(list(range(8)), seen)

    def test_a_change_that_failed_does_not(self):
        def create():
            with self.db.write() as tx:
                self.flavors.create(tx, flavor(), 1.0)
        create()
        self.assertRaises(errors.Conflict, create)
        self.assertEqual(1, self.version())

    def test_private_ones_are_in_it(self):
        self.make(flavor("a"), flavor("b", public=False))
        with self.db.read() as tx:
            version, found = self.flavors.catalogue(tx)
        self.assertEqual((2, ["a", "b"]), (version, [one.name for one in found]))
