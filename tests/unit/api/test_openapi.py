# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The documents of the API and the catalogue are in step."""

import collections
import json
import pathlib
import re

import jsonschema
import testtools
import yaml

from nova_cells.api import catalogue, compute, microversion, named, openapi, policy, shapes
from nova_cells.api.catalogue import Action

ROOT = pathlib.Path(__file__).parents[3]
#: What asks no rule of policy: anybody with a token may.
OPEN = {"flavors:index", "nodes:create", "nodes:delete", "add_interface", "remove_interface",
        "os-getRDPConsole", "resetNetwork", "injectNetworkInfo",
        # The image service decides.
        "images:index", "images:detail", "images:show", "images:delete", "image_metadata:index",
        "image_metadata:create", "image_metadata:update_all", "image_metadata:show",
        "image_metadata:update", "image_metadata:delete"}


class InStep(testtools.TestCase):
    def test_files(self):
        """Whoever adds a route makes them anew, and writes nothing else for it."""
        made = openapi.files()
        there = {str(path.relative_to(ROOT)): path.read_text()
                 for path in [ROOT / openapi.PATH, *(ROOT / "doc" / "api-ref").glob("*.rst")]}
        wrong = sorted(name for name in made.keys() | there.keys()
                       if made.get(name) != there.get(name))
        self.assertEqual([], wrong, "run: python -m nova_cells.api.openapi")

    def test_the_text_is_the_document(self):
        actions, rules = compute.actions(), policy.list_rules()
        document = openapi.Document(actions, rules).whole()
        self.assertEqual(json.loads(json.dumps(document)), yaml.safe_load(openapi.yaml(document)))


class Whole(testtools.TestCase):
    actions = compute.actions()
    document = openapi.Document(actions, policy.list_rules()).whole()

    def operations(self):
        return {(method.upper(), named.plain(path)): operation
                for path, entry in self.document["paths"].items()
                for method, operation in entry.items() if method != "parameters"}

    def test_every_action_is_there_with_its_window(self):
        operations = self.operations()
        for action in self.actions:
            first, last = (microversion.text(end) for end in action.window)
            windows = operations[action.method, named.plain(action.path)]["x-openstack"]
            self.assertIn((first, last, action.key if action.keyed else None), [
                (one["min-ver"], one["max-ver"], one.get("action-name")) for one in windows])
        self.assertEqual(len(self.actions), sum(
            len(operation["x-openstack"]) for operation in operations.values()))

    def test_names_are_used_once(self):
        names = collections.Counter(operation["operationId"]
                                    for operation in self.operations().values())
        self.assertEqual([], [name for name, count in names.items() if count > 1])
        self.assertEqual(len(self.document["paths"]), len(
            {named.plain(path) for path in self.document["paths"]}))

    def test_every_reference_leads_somewhere(self):
        for name in re.findall(r'"\$ref": "#/([^"]*)"', json.dumps(self.document)):
            place = self.document
            for part in name.split("/"):
                place = place[part]

    def test_schemas_are_schemas(self):
        for name, schema in self.document["components"]["schemas"].items():
            jsonschema.Draft202012Validator.check_schema(schema)
            self.assertIn("type", schema, name)

    def test_schemas_are_those_that_requests_are_checked_with(self):
        """Each stretch of versions says what the shape says at both of its ends."""
        for action in self.actions:
            if action.body is None:
                continue
            covered = []
            for first, last, schema in openapi.stretches(action.body, *action.window):
                self.assertEqual(action.body.schema(first), schema)
                self.assertEqual(action.body.schema(last), schema)
                covered += range(first, last + 1)
            self.assertEqual(list(range(action.window[0], action.window[1] + 1)), covered)

    def test_every_action_says_whom_it_asks(self):
        rules = named.Rules(policy.list_rules())
        silent = {action.key for action in self.actions
                  if not action.gone and not rules.of(action)}
        self.assertEqual(set(), silent - OPEN)

    def test_no_rule_is_idle(self):
        """A rule that no action asks is a promise that nobody keeps."""
        rules = named.Rules(policy.list_rules())
        asked = {name for action in self.actions for name in rules.of(action)}
        base = {rule.name for rule in policy.BASE}
        self.assertEqual(set(), rules.checks.keys() - base - asked)


class Made(testtools.TestCase):
    def document(self, *actions):
        return openapi.Document(actions, ()).whole()

    def test_bodies_by_key_and_version(self):
        shape = shapes.Shape(a=shapes.string()).since("2.5", b=shapes.string())
        document = self.document(*(Action(key, "POST", "/things/{id}/action", "serve",
                                          handler=print, body=shape) for key in ("x", "y")))
        body = document["paths"]["/things/{id}/action"]["post"]["requestBody"]
        references = body["content"]["application/json"]["schema"]["anyOf"]
        schemas = document["components"]["schemas"]
        self.assertEqual([("x", "2.1", "2.4"), ("x", "2.5", "2.104"), ("y", "2.1", "2.4"),
                          ("y", "2.5", "2.104")], [
            (words["action-name"], words["min-ver"], words["max-ver"]) for words in (
                schemas[one["$ref"].rpartition("/")[2]]["x-openstack"] for one in references)])

    def test_queries_by_version(self):
        query = shapes.Query(a=shapes.optional(shapes.string())).since(
            "2.9", a=shapes.REMOVED, b=shapes.optional(shapes.string()))
        document = self.document(Action("list", "GET", "/things", "serve", handler=print,
                                        query=query, since="2.3"))
        self.assertEqual([("a", "2.3", "2.8"), ("b", "2.9", "2.104")], [
            (one["name"], one["x-openstack"]["min-ver"], one["x-openstack"]["max-ver"])
            for one in document["paths"]["/things"]["get"]["parameters"]])

    def test_a_catalogue_knows_the_same_paths(self):
        made = catalogue.Catalogue(compute.actions())
        for path in openapi.Document(compute.actions(), ()).whole()["paths"]:
            parts = re.sub(r"\{[^}]*\}", "x", path).strip("/").split("/")
            self.assertIsNotNone(made.find(parts), path)
