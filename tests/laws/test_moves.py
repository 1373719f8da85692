# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Laws of a server's moves: versions grow, old tickets are dead, deleted is for ever."""

import hypothesis
import testtools
from hypothesis import stateful
from hypothesis import strategies as st

from nova_cells.domain import lifecycle
from nova_cells.domain import server as model
from tests.laws import servers

idle = servers.servers(verb=st.none())
busy = servers.servers(verb=servers.verbs)
FAULT = model.Fault(code=500, message="no", created_at=1.0)


class Moves(testtools.TestCase):
    @hypothesis.given(servers.servers(), servers.verbs)
    def test_begin_is_what_the_table_says(self, server, name):
        verb = lifecycle.VERBS[name]
        free = server.verb is None or verb.over & {"*", server.verb}
        if server.rest not in verb.start or not free:
            self.assertRaises(lifecycle.IllegalMove, lifecycle.begin, server, name, 2.0)
            return
        begun = lifecycle.begin(server, name, 2.0, {"k": "v"})
        if server.verb == name == "delete":
            self.assertIs(server, begun)
            return
        self.assertEqual((server.version + 1, server.version + 1, name, 0),
                         (begun.version, begun.ticket, begun.verb, begun.phase))
        self.assertEqual((server.rest, server.epoch, {"k": "v"}),
                         (begun.rest, begun.epoch, begun.want))

    @hypothesis.given(busy)
    def test_finish_and_fail_end_it_at_a_known_rest(self, server):
        verb = lifecycle.VERBS[server.verb]
        for end, rest in ((lifecycle.finish(server, 2.0), verb.done),
                          (lifecycle.fail(server, 2.0, FAULT), verb.failed)):
            self.assertEqual(server.version + 1, end.version)
            self.assertEqual(server.rest if rest == lifecycle.KEEP else rest, end.rest)
            self.assertEqual((None, 0, {}), (end.verb, end.phase, end.want))
            self.assertFalse(lifecycle.owns(end, server.epoch, server.ticket))

    @hypothesis.given(busy, servers.verbs)
    def test_whoever_is_interrupted_owns_nothing_any_more(self, server, name):
        try:
            begun = lifecycle.begin(server, name, 2.0)
        except lifecycle.IllegalMove:
            return
        if begun is not server:
            self.assertFalse(lifecycle.owns(begun, server.epoch, server.ticket))
            self.assertTrue(lifecycle.owns(begun, begun.epoch, begun.ticket))

    @hypothesis.given(busy)
    def test_retry_has_a_fresh_ticket(self, server):
        again = lifecycle.retry(server, 2.0)
        self.assertGreater(again.ticket, server.ticket)
        self.assertFalse(lifecycle.owns(again, server.epoch, server.ticket))

    @hypothesis.given(servers.servers(), st.sampled_from(("active", "error")))
    def test_reset_ends_everything_but_deletion(self, server, rest):
        if server.deleted:
            self.assertRaises(lifecycle.IllegalMove, lifecycle.reset, server, rest, 2.0)
            return
        done = lifecycle.reset(server, rest, 2.0)
        self.assertEqual((rest, None, server.version + 1), (done.rest, done.verb, done.version))
        self.assertFalse(lifecycle.owns(done, server.epoch, server.ticket))

    @hypothesis.given(servers.servers(), servers.powers)
    def test_observe_touches_nothing_that_works_and_settles(self, server, power):
        seen = lifecycle.observe(server, power, 2.0)
        looked_at = server.rest in (
            "active", "stopped", "paused", "error", "rescued", "resized") or (
            server.rest == "suspended" and power != lifecycle.SHUTDOWN
            and power != lifecycle.CRASHED)
        if server.verb is not None or not looked_at:
            self.assertIs(server, seen)
        if seen is not server:
            self.assertEqual(server.version + 1, seen.version)
            self.assertIs(seen, lifecycle.observe(seen, power, 3.0), "seen twice, changed once")
        self.assertEqual(server.deleted, seen.deleted)

    @hypothesis.given(busy, st.integers(0, 5))
    def test_phases_only_go_on(self, server, phase):
        later = lifecycle.advance(server, phase, 2.0)
        self.assertEqual(max(phase, server.phase), later.phase)
        self.assertEqual(phase > server.phase, later.version > server.version)


class Life(stateful.RuleBasedStateMachine):
    """Anything, in any order: versions grow one by one, and deleted is the end."""

    def __init__(self) -> None:
        super().__init__()
        self.server = model.Server(
            uuid="u", project_id="p", user_id="u", epoch=1, version=1, flavor=servers.FLAVOR,
            created_at=1.0, verb="boot", ticket=1)
        self.old: set[tuple[int, int]] = set()

    def move(self, after: model.Server) -> None:
        before, self.server = self.server, after
        if after is before:
            return
        assert after.version == before.version + 1
        assert not before.deleted, "deleted never comes back"
        if before.verb is not None and (after.verb, after.ticket) != (before.verb, before.ticket):
            self.old.add((before.epoch, before.ticket))

    @stateful.rule(name=servers.verbs)
    def begin(self, name: str) -> None:
        try:
            self.move(lifecycle.begin(self.server, name, 2.0))
        except lifecycle.IllegalMove:
            pass

    @stateful.rule(data=st.data(), good=st.booleans())
    def report(self, data: st.DataObject, good: bool) -> None:
        stamps = sorted(self.old | {(self.server.epoch, self.server.ticket)})
        epoch, ticket = data.draw(st.sampled_from(stamps))
        if lifecycle.owns(self.server, epoch, ticket):
            assert (epoch, ticket) not in self.old
            self.move(lifecycle.finish(self.server, 2.0) if good
                      else lifecycle.fail(self.server, 2.0, FAULT))

    @stateful.rule(rest=st.sampled_from(("active", "error")))
    def reset(self, rest: str) -> None:
        try:
            self.move(lifecycle.reset(self.server, rest, 2.0))
        except lifecycle.IllegalMove:
            pass

    @stateful.rule(power=servers.powers)
    def observe(self, power: int) -> None:
        self.move(lifecycle.observe(self.server, power, 2.0))

    @stateful.invariant()
    def the_ticket_is_a_version_that_was(self) -> None:
        assert self.server.ticket <= self.server.version
        assert self.server.rest in lifecycle.RESTS


TestLife = Life.TestCase
