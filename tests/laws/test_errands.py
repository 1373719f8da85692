# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Laws of the errands' table: of the same form as the lifecycle's, and as strict."""

import testtools

from nova_cells.domain import errands, errors, lifecycle
from nova_cells.domain import server as model
from tests.laws import servers

PLAIN = model.Server(uuid="s", project_id="p", user_id="u", epoch=2, version=9, created_at=1.0,
                     flavor=servers.FLAVOR, host="h1")


def errand(kind, **fields):
    return errands.Errand(uuid="e", server="s", kind=kind, subject="x", **fields)


class Table(testtools.TestCase):
    def test_every_verb_starts_and_ends_in_a_known_rest_of_a_known_kind(self):
        for verb in errands.VERBS.values():
            self.assertIn(verb.kind, errands.KINDS | {""}, verb.name)
            ends = {verb.done, verb.failed} - {lifecycle.KEEP}
            self.assertLessEqual(verb.start | ends, errands.RESTS, verb.name)
            self.assertLessEqual(verb.beside, lifecycle.RESTS.keys(), verb.name)
            self.assertNotIn("gone", verb.start)

    def test_what_is_attached_can_be_detached_and_everything_released(self):
        for kind in errands.KINDS:
            by = [verb for verb in errands.VERBS.values() if verb.kind == kind]
            self.assertTrue(any(verb.done == "attached" and "new" in verb.start for verb in by))
            self.assertTrue(any(verb.done == "gone" and "attached" in verb.start for verb in by))
        self.assertEqual((errands.ANY, frozenset(lifecycle.RESTS), 0), (
            errands.VERBS["release"].start, errands.VERBS["release"].beside,
            errands.VERBS["release"].limit))

    def test_a_verb_begins_exactly_where_its_row_says(self):
        for verb in errands.VERBS.values():
            for kind in errands.KINDS if not verb.kind else {verb.kind}:
                for rest in errands.RESTS:
                    for where in lifecycle.RESTS:
                        for busy in (None, "stop"):
                            self.one(verb, errand(kind, rest=rest, version=4), where, busy)

    def one(self, verb, before, where, busy):
        server = model.replace(PLAIN, rest=where, verb=busy)
        may = before.rest in verb.start and where in verb.beside and (
            busy is None or verb.name == "release")
        try:
            begun = errands.begin(before, verb.name, server)
        except errors.Conflict:
            self.assertFalse(may, (verb.name, before.rest, where, busy))
            return
        self.assertTrue(may, (verb.name, before.rest, where, busy))
        self.assertEqual((5, 5, verb.name), (begun.version, begun.ticket, begun.verb))
        done, failed = errands.finish(begun), errands.fail(begun, "why", "conflict")
        for ended, rest in ((done, verb.done), (failed, verb.failed)):
            self.assertEqual((None, 6), (ended.verb, ended.version))
            self.assertEqual(before.rest if rest == lifecycle.KEEP else rest, ended.rest)
            self.assertEqual(ended.rest == "gone", ended.subject == "e")
        self.assertEqual("why", failed.fault)
        self.assertTrue(errands.owns(begun, server.epoch, 5))
        self.assertFalse(errands.owns(begun, server.epoch, 4))
        self.assertFalse(errands.owns(done, server.epoch, 5))

    def test_no_verb_begins_over_another_but_release(self):
        server = model.replace(PLAIN, rest="active", verb=None)
        for verb in errands.VERBS.values():
            for rest in verb.start:
                before = errand(verb.kind or "volume", rest=rest, verb="detach_volume", version=3,
                                ticket=3)
                if verb.name == "release":
                    self.assertEqual("release", errands.begin(before, verb.name, server).verb)
                else:
                    self.assertRaises(errors.Conflict, errands.begin, before, verb.name, server)

    def test_only_what_is_attached_is_shown(self):
        nic = model.Interface(errand="e", port_id="p", net_id="n", mac="m", addresses=(
            model.Address(network="n", ip="10.0.0.1", version=4, mac="m"),))
        for rest in errands.RESTS:
            shown = errands.shown([errand("interface", rest=rest, interface=nic)])
            self.assertEqual(nic.addresses if rest == "attached" else (), shown["addresses"])
