# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Shapes and their history; the compiled checks against jsonschema as the oracle."""

import hypothesis
import jsonschema
import testtools
from hypothesis import strategies as st

from nova_cells.api import compute, formats, schemas, shapes
from nova_cells.api.shapes import REMOVED, Query, Shape, optional
from nova_cells.domain import errors

ORACLE_FORMATS = jsonschema.FormatChecker(formats=())
for _name, _test in formats.FORMATS.items():
    ORACLE_FORMATS.checks(_name)(
        lambda value, test=_test: not isinstance(value, str) or not test(value))


def _bound(low):
    """Numbers may come as text in this API: bounds hold for both."""
    def check(_validator, limit, value, _schema):
        number = schemas._number(value)
        if number is not None and (number < limit if low else number > limit):
            yield jsonschema.ValidationError("beyond")
        elif number is None and isinstance(value, str) and len(value) > 40:
            yield jsonschema.ValidationError("long")
    return check


Oracle = jsonschema.validators.extend(
    jsonschema.Draft4Validator, {"minimum": _bound(True), "maximum": _bound(False)})


def accepts(check, value) -> bool:
    try:
        check(value)
    except (schemas.Mismatch, errors.Invalid):
        return False
    return True


scalars = (st.none() | st.booleans() | st.integers(-3, 300) | st.text(max_size=6)
           | st.sampled_from(["1", "0", "-1", "true", "AUTO", "none", "10.0.0.1", "::1", "HARD",
                              "active", "ssh", "a" * 256, "5f8a1c5e-0000-4000-8000-000000000001"]))


def shaped(schema):
    """Values near a schema: its own fields, some missing, some wrong."""
    if schema.get("type") == "object" or "properties" in schema:
        fields = {key: shaped(inner) for key, inner in schema.get("properties", {}).items()}
        return st.fixed_dictionaries({}, optional=fields) | scalars | st.dictionaries(
            st.text(max_size=3), scalars, max_size=2)
    if "items" in schema:
        return st.lists(shaped(schema["items"]), max_size=3) | scalars
    if "anyOf" in schema:
        return st.one_of(*(shaped(inner) for inner in schema["anyOf"])) | scalars
    if "enum" in schema:
        return st.sampled_from(schema["enum"]) | scalars
    return scalars


def every_shape():
    for action in compute.actions():
        if action.body is not None:
            for version in action.body.cuts:
                yield action.body, version


class Oracles(testtools.TestCase):
    @hypothesis.settings(max_examples=400, deadline=None,
                         suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(st.data())
    def test_compiled_checks_agree_with_jsonschema(self, data):
        shape, version = data.draw(st.sampled_from(list(every_shape())))
        schema = shape.schema(version)
        Oracle.check_schema(schema)
        value = data.draw(shaped(schema))
        oracle = Oracle(schema, format_checker=ORACLE_FORMATS).is_valid(value)
        self.assertEqual(oracle, accepts(lambda one: shape.check(one, version), value), value)

    def test_every_shape_of_the_catalogue_compiles(self):
        self.assertGreater(len(list(every_shape())), 40)
        for shape, version in every_shape():
            schemas.compiled(shape.schema(version))

    def test_an_unknown_keyword_is_a_bug_not_a_silent_pass(self):
        self.assertRaises(errors.Bug, schemas.compiled, {"minimun": 1})


class History(testtools.TestCase):
    shape = Shape(name=shapes.name).since("2.19", description=optional(shapes.description)).since(
        "2.57", name=optional(shapes.name)).since("2.63", description=REMOVED)

    def test_fields_come_change_and_go(self):
        self.assertEqual([1, 19, 57, 63], self.shape.cuts)
        for version, value, fits in (
                (18, {"name": "a"}, True), (18, {"name": "a", "description": "b"}, False),
                (19, {"name": "a", "description": "b"}, True), (19, {"description": "b"}, False),
                (57, {"description": "b"}, True), (104, {"description": "b"}, False)):
            self.assertEqual(fits, accepts(lambda one, at=version: self.shape.check(one, at),
                                           value), (version, value))

    def test_the_older_shape_is_not_changed(self):
        first = Shape(a=shapes.anything)
        first.since("2.2", b=shapes.anything)
        self.assertEqual([1], first.cuts)

    def test_an_inner_history_counts(self):
        self.assertEqual([1, 19, 57, 63], Shape(server=self.shape).cuts)

    def test_relaxed_takes_out_what_was_not_checked(self):
        inner = Shape(a=optional({"type": "string"})).since("2.19", b=optional({"type": "string"}))
        body = {"one": {"a": "x", "b": {}, "c": 1}, "d": 1}
        Shape(one=inner).check(body, 1, relaxed=True)
        self.assertEqual({"one": {"a": "x"}}, body)

    def test_relaxed_counts_known_fields_alone(self):
        one = Shape(a=optional({"type": "string"}), b=optional({"type": "string"}),
                    keywords={"minProperties": 1})
        one.check({"b": "x", "unheard": 1}, 1, relaxed=True)
        for body in ({}, {"unheard": 1}):
            self.assertRaises(errors.Invalid, one.check, body, 1, relaxed=True)

    def test_relaxed_passes_over_unknown_fields(self):
        body = {"server": {"name": "a", "unheard": 1}}
        outer = Shape(server=self.shape)
        self.assertFalse(accepts(lambda one: outer.check(one, 1), body))
        outer.check(body, 1, relaxed=True)


class Sentences(testtools.TestCase):
    def test_the_field_is_named(self):
        for value, words in (
                ({"server": {"name": ""}}, "Invalid input for field/attribute name. Value: . "
                                           "'' is too short"),
                ({}, "'server' is a required property"),
                ({"server": {"name": 3}}, "Invalid input for field/attribute name. Value: 3. "
                                          "3 is not of type 'string'"),
                ({"server": {"name": "a"}, "x": 1}, "Additional properties are not allowed "
                                                    "('x' was unexpected)")):
            shape = Shape(server=Shape(name=shapes.name))
            problem = self.assertRaises(errors.Invalid, shape.check, value, 1)
            self.assertEqual(words, problem.message)

    def test_long_values_are_cut(self):
        shape = Shape(name=shapes.name)
        problem = self.assertRaises(errors.Invalid, shape.check, {"name": "x" * 100_000}, 1)
        self.assertLess(len(problem.message), 1000)


class Queries(testtools.TestCase):
    query = Query(limit=optional(shapes.non_negative), strict="2.75").since(
        "2.26", tags=optional(shapes.string()))

    def test_unknown_parameters_are_passed_over_then_refused(self):
        given = {"limit": ["3"], "colour": ["red"]}
        self.assertEqual({"limit": ["3"]}, self.query.accept(given, 74))
        self.assertRaises(errors.Invalid, self.query.accept, given, 75)

    def test_parameters_have_versions(self):
        self.assertEqual({}, self.query.accept({"tags": ["a"]}, 25))
        self.assertEqual({"tags": ["a"]}, self.query.accept({"tags": ["a"]}, 26))

    def test_every_value_is_checked(self):
        problem = self.assertRaises(errors.Invalid, self.query.accept, {"limit": ["1", "-1"]}, 1)
        self.assertIn("limit", problem.message)


class Formats(testtools.TestCase):
    def test_words(self):
        for name, good, bad in (
                ("uuid", "5f8a1c5e-0000-4000-8000-000000000001", "5f8a1c5e"),
                ("ipv4", "10.0.0.1", "10.0.0.256"), ("ipv6", "fe80::1", "10.0.0.1"),
                ("date-time", "2026-01-31T12:00:00Z", "2026/01/31"),
                ("date-time", "2026-01-31T12:00:00 02:00", "yesterday"),
                ("base64", "aGVsbG8=", "not base 64!"), ("name", "a b", " a"),
                ("name", "é", "a\x00b"), ("lax_name", " a ", "   "),
                ("description", "two\nlines", "a\x00b"), ("regex", "a.*", "[")):
            self.assertFalse(formats.FORMATS[name](good), (name, good))
            self.assertTrue(formats.FORMATS[name](bad), (name, bad))
