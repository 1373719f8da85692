# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The catalogue: one value per action, found by path, method, version and key."""

import collections

import testtools

from nova_cells.api import catalogue, compute, down, faults, policy
from nova_cells.api.catalogue import Action
from nova_cells.domain import errors, lifecycle


def nobody(_request):
    return None


class Finding(testtools.TestCase):
    made = catalogue.Catalogue([
        Action("list", "GET", "/things", "serve"),
        Action("detail", "GET", "/things/detail", "serve"),
        Action("show", "GET", "/things/{id}", "serve"),
        Action("part", "GET", "/things/{id}/parts/{key}", "serve"),
        Action("old", "PUT", "/things/{id}", "serve", until="2.35"),
        Action("new", "PUT", "/things/{id}", "serve", since="2.36"),
        Action("late", "DELETE", "/things/{id}", "serve", since="2.55"),
        Action("start", "POST", "/things/{id}/action", "serve"),
        Action("dump", "POST", "/things/{id}/action", "serve", since="2.17"),
        Action("lost", "GET", "/lost", "serve", gone=True)])

    def find(self, path):
        return self.made.find(path.strip("/").split("/"))

    def test_literal_before_argument(self):
        self.assertEqual("/things/detail", self.find("/things/detail")[0].template)
        entry, args = self.find("/things/7/parts/x")
        self.assertEqual(({"id": "7", "key": "x"}, "/things/{id}/parts/{key}"),
                         (args, entry.template))

    def test_what_is_not_there(self):
        for path in ("/thing", "/things/7/parts", "/things//parts/x", "/things/7/parts/x/y", "/"):
            self.assertIsNone(self.find(path), path)

    def test_the_tree_agrees_with_routes(self):
        for path in ("/things", "/things/detail", "/things/9", "/things/9/parts/k", "/things/9/x",
                     "/none", "/things/9/action"):
            routed, found = self.made.mapper.match(path), self.find(path)
            self.assertEqual(routed is None, found is None, path)
            if routed:
                arguments = {key: value for key, value in routed.items()
                             if key not in ("entry", "controller", "action")}
                self.assertIn(found[1], ({}, arguments))

    def test_windows(self):
        put = self.find("/things/1")[0].offered("PUT")
        self.assertEqual("old", catalogue.pick(put, 35).key)
        self.assertEqual("new", catalogue.pick(put, 36).key)
        late = self.find("/things/1")[0].offered("DELETE")
        self.assertRaises(errors.NotFound, catalogue.pick, late, 54)
        self.assertEqual("late", catalogue.pick(late, 55).key)

    def test_keys(self):
        posted = self.find("/things/1/action")[0].offered("POST")
        self.assertEqual("start", catalogue.pick(posted, 1, {"start": None}).key)
        self.assertRaises(errors.NotFound, catalogue.pick, posted, 16, {"dump": None})
        for body in (None, [], {}, {"fly": None}, {"start": None, "fly": None}):
            self.assertRaises(errors.Invalid, catalogue.pick, posted, 1, body)

    def test_gone_and_no_method(self):
        self.assertRaises(faults.Gone, self.find("/lost")[0].offered, "GET")
        self.assertRaises(faults.NoMethod, self.find("/things")[0].offered, "DELETE")

    def test_two_answers_at_one_version_are_a_bug(self):
        self.assertRaises(errors.Bug, catalogue.Catalogue, [
            Action("a", "GET", "/x", "serve", until="2.9"),
            Action("b", "GET", "/x", "serve", since="2.9")])


class TheCatalogue(testtools.TestCase):
    """Laws of the whole."""

    actions = compute.actions()

    def test_it_can_be_built(self):
        made = catalogue.Catalogue(self.actions)
        for action in self.actions:
            parts = action.path.strip("/").split("/")
            entry, _ = made.find([part.replace("{", "x").replace("}", "") for part in parts])
            self.assertEqual(action.path, entry.template)

    def test_each_is_served_or_gone(self):
        for action in self.actions:
            self.assertEqual(action.gone, action.handler is None, action.key)

    def test_each_policy_is_a_rule(self):
        rules = {rule.name for rule in policy.list_rules()}
        for action in self.actions:
            if action.policy:
                self.assertIn(action.policy, rules)

    def test_no_rule_stands_twice(self):
        counts = collections.Counter(rule.name for rule in policy.list_rules())
        self.assertEqual([], [name for name, count in counts.items() if count > 1])

    def test_what_changes_something_has_a_shape(self):
        bare = [action.key for action in self.actions
                if action.method in ("POST", "PUT") and not action.gone and action.body is None]
        self.assertEqual([], bare)

    def test_each_says_what_it_does_while_a_cell_is_down(self):
        for action in self.actions:
            self.assertIn(action.down, down.ANSWERS, action.key)
            if action.method == "GET":
                self.assertIn(action.down, ("stale", "serve", "refuse"), action.key)

    def test_unserved_verbs_name_a_capability(self):
        for action in self.actions:
            if action.capability in lifecycle.VERBS:
                self.assertTrue(lifecycle.VERBS[action.capability].capability)
