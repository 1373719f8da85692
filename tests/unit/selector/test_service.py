# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The scheduler service: proposes, keeps fresh by versions, never claims and never refuses."""

import sqlalchemy as sa

from nova_cells.conductor import proposing
from nova_cells.conductor import service as conductors
from nova_cells.domain import codec, effects, resources, selection
from nova_cells.domain import server as model
from nova_cells.scheduler import asking, choose
from nova_cells.selector import service
from tests.unit.conductor import base

LATER = base.NOW + 60            # whatever was read is too old by then


class SelectorTest(base.CellTest):
    """A cell with hosts h1 to h4, its conductor, and a scheduler."""

    def setUp(self):
        super().setUp()
        for host in ("h2", "h3", "h4"):
            self.hello(host)
        self.selector = self.started()

    def started(self):
        made = service.Selector(self.store, self.identity, self.ids)
        made.start(base.NOW)
        return made

    def select(self, *servers, now=base.NOW, selector=None, vcpus=1, **more):
        """What is proposed, over the wire and back."""
        request = choose.Request(amounts={"VCPU": vcpus}, **more)
        question = codec.decode(codec.encode(selection.Select(wanted=tuple(
            asking.wanted(server, request) for server in servers))))
        reply, = (selector or self.selector).handle(question, now)
        return codec.decode(codec.encode(reply.message))

    def first(self, server, **more):
        return self.select(server, **more).proposals[0][0].host


class Answers(SelectorTest):
    def test_the_best_and_its_alternates_with_what_claiming_needs(self):
        proposals, = self.select("s1").proposals
        self.assertEqual(3, len({one.host for one in proposals}))
        with self.store.read() as tx:
            generations = self.store.resources.generations(tx)
            for one in proposals:
                self.assertEqual(self.store.hosts.get(tx, one.host).version, one.version)
                self.assertEqual(generations[one.provider], one.generation)

    def test_several_boots_at_once_get_several_hosts(self):
        self.assertEqual(4, len({self.first(f"s{number}", vcpus=4) for number in range(4)}))

    def test_several_servers_in_one_question(self):
        found = self.select("s1", "s2", "s3", "s4", vcpus=4).proposals
        self.assertEqual(4, len({one[0].host for one in found}))

    def test_the_same_server_asked_about_again_takes_nothing_more(self):
        for _time in range(6):
            self.first("s1", vcpus=4)
        self.assertEqual(4, len({self.first(f"s{number}", vcpus=4) for number in range(1, 5)}))

    def test_nothing_to_propose_is_no_failure(self):
        answer = self.select("s1", "s2", zone="elsewhere")
        self.assertEqual(((), ()), answer.proposals)
        self.assertIn("availability zone", answer.reason)

    def test_nothing_is_written(self):
        written = []
        sa.event.listen(self.store.engine, "commit", lambda connection: written.append(
            connection.get_execution_options().get("write")))
        for number in range(5):
            self.select(f"s{number}", now=LATER + number)
        self.selector.handle(effects.Tick(job="look"), LATER + 99)
        self.assertNotIn(True, written)
        self.assertEqual({}, self.allocated())

    def test_two_of_them_seldom_propose_the_same(self):
        others = [self.started() for _one in range(12)]
        self.assertGreater(len({self.first("s1", selector=one) for one in others}), 1)

    def test_a_request_travels_whole(self):
        request = choose.Request(
            amounts={"VCPU": 2}, required=frozenset("T"), forbidden=frozenset("U"), zone="z",
            forced="h1", avoid=frozenset({"h2"}), only=frozenset({"h1", "h3"}),
            tried=frozenset({"h4"}))
        self.assertEqual(request, asking.request(asking.wanted("s1", request)))


class Fresh(SelectorTest):
    def statements(self, work):
        """What a look reads, beside the pairs of numbers."""
        seen = []

        def note(_connection, _cursor, statement, parameters, *_more):
            if statement.startswith("SELECT"):
                seen.append(parameters)
        sa.event.listen(self.store.engine, "before_cursor_execute", note)
        work()
        sa.event.remove(self.store.engine, "before_cursor_execute", note)
        return seen

    def test_only_what_changed_is_read(self):
        before = self.selector.places.read_again
        self.offer(self.ids.uuid())
        self.selector.handle(effects.Tick(job="look"), LATER)
        self.assertEqual(before + 1, self.selector.places.read_again)
        quiet = self.statements(lambda: self.selector.handle(effects.Tick(job="look"), LATER + 9))
        self.assertEqual([()], quiet)

    def test_between_two_looks_nothing_is_read(self):
        self.selector.handle(effects.Tick(job="look"), LATER)
        self.assertEqual([], self.statements(lambda: self.select("s1", now=LATER + 0.001)))

    def test_a_host_where_somebody_was_faster_is_read_at_once(self):
        host = self.first("s1", vcpus=4)
        with self.store.write() as tx:
            known = self.store.hosts.get(tx, host)
            self.store.resources.claim(tx, "other", "here", known.uuid, 1, {"VCPU": 4})
        question = selection.Select(again=(known.uuid,), wanted=(asking.wanted(
            "s1", choose.Request(amounts={"VCPU": 4})),))
        answer = self.selector.handle(question, base.NOW)[0].message
        self.assertNotIn(host, [one.host for one in answer.proposals[0]])

    def test_hosts_that_come_go_and_change(self):
        def usable():
            self.now += 60
            self.selector.handle(effects.Tick(job="look"), self.now)
            return {place.key for place in self.selector.places.fleet.all()
                    if place.up and place.enabled}
        self.now = LATER
        self.hello("h5")
        self.assertEqual({"h1", "h2", "h3", "h4", "h5"}, usable())
        with self.store.write() as tx:
            for host, change in (("h1", {"disabled": True}), ("h2", {"up": False}),
                                 ("h3", {"deleted": True, "up": False})):
                known = self.store.hosts.get(tx, host)
                self.store.hosts.put(tx, model.replace(known, **change), base.NOW)
                if "deleted" in change:
                    self.store.resources.remove(tx, known.uuid, 1)
        self.assertEqual({"h4", "h5"}, usable())
        self.assertIsNone(self.selector.places.fleet.get("h3"))
        self.hello("h3", conductor=self.another())
        self.assertEqual({"h3", "h4", "h5"}, usable())

    def test_a_host_that_came_back_bare_is_not_taken_for_what_it_was(self):
        """Its generations begin again, but its record's versions go on."""
        with self.store.write() as tx:
            known = self.store.hosts.get(tx, "h1")
            for number in range(3):
                self.store.resources.claim(tx, f"s{number}", "here", known.uuid, 1 + number,
                                           {"VCPU": 1})
        self.selector.handle(effects.Tick(job="look"), LATER)
        with self.store.write() as tx:
            for number in range(3):
                self.store.resources.release(tx, f"s{number}")
            gone = self.store.hosts.put(tx, model.replace(known, deleted=True, up=False), base.NOW)
            self.store.resources.remove(tx, known.uuid, 7)
            self.store.hosts.put(tx, model.replace(gone, deleted=False, up=True), base.NOW)
            self.store.resources.put(tx, resources.Provider(
                uuid=known.uuid, name="h1", host="h1",
                inventory={"VCPU": resources.Inventory(total=4)}))
            for generation in range(1, 4):
                self.store.resources.claim(tx, f"t{generation}", "here", known.uuid, generation,
                                           {"VCPU": 1})
        with self.store.read() as tx:
            self.assertIsNone(self.selector.places.host(tx, known.uuid, known.version))
        self.selector.handle(effects.Tick(job="look"), LATER + 60)
        self.assertEqual(1, self.selector.places.fleet.get("h1").free["VCPU"])


class Together(SelectorTest):
    """Conductors that ask schedulers, and commit."""

    def ask(self, to, question, budget):
        reply, = self.selector.handle(codec.decode(codec.encode(question)), base.NOW)
        return codec.decode(codec.encode(reply.message))

    def test_a_cell_is_filled_to_the_last_place_and_no_further(self):
        choosers = [proposing.Service(self.identity.uuid, self.ask) for _one in range(2)]
        turns = [conductors.Conductor(self.store, self.identity, self.ids, None, chooser)
                 for chooser in choosers]
        for number in range(18):
            self.conductor = turns[number % 2]
            self.offer(self.ids.uuid())
        self.assertEqual(16, len(self.allocated()))
        self.assertEqual([0, 0], [chooser.unanswered for chooser in choosers])
        with self.store.read() as tx:
            for uuid in self.store.resources.generations(tx):
                self.assertEqual(0, self.store.resources.usage(tx, uuid).free()["VCPU"])
