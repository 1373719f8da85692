# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Laws of the codec: what is said is heard, by older and newer neighbours too."""

import json
import typing

import hypothesis
import msgspec
import testtools
from hypothesis import strategies as st

from nova_cells.domain import codec, errors

text = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=6)
SIMPLE = {str: text, int: st.integers(-2**53, 2**53), bool: st.booleans(),
          float: st.floats(-1e12, 1e12, allow_nan=False), type(None): st.none(),
          dict: st.dictionaries(text, text, max_size=2),
          msgspec.UnsetType: st.just(msgspec.UNSET)}


def values(kind: typing.Any) -> st.SearchStrategy:
    """Values of a type, as the messages use types."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return st.sampled_from(parts)
    if origin is tuple and parts[1:] == (...,):
        return st.lists(values(parts[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, parts))
    if origin is list:
        return st.lists(values(parts[0]), max_size=2)
    if origin is dict:
        return st.dictionaries(values(parts[0]), values(parts[1]), max_size=2)
    if parts:                            # a union
        return st.one_of(*map(values, parts))
    if kind in SIMPLE:
        return SIMPLE[kind]
    hints = typing.get_type_hints(kind)
    return st.deferred(lambda: st.builds(kind, **{
        name: values(hints[name]) for name in kind.__struct_fields__}))


messages = st.sampled_from(sorted(codec.TYPES)).flatmap(
    lambda name: values(codec.TYPES[name]))
lenient = hypothesis.settings(suppress_health_check=list(hypothesis.HealthCheck), deadline=None)


class Codec(testtools.TestCase):
    def test_every_type_of_message_comes_back_as_it_was(self):
        for name in sorted(codec.TYPES):
            self.round_trip(codec.TYPES[name])

    def round_trip(self, kind):
        @hypothesis.settings(lenient, max_examples=15)
        @hypothesis.given(values(kind))
        def law(message):
            self.assertEqual(message, codec.decode(codec.encode(message)))
        law()

    @lenient
    @hypothesis.given(messages, st.integers(1, 99))
    def test_a_newer_minor_with_unknown_fields_is_understood(self, message, minor):
        wire = json.loads(codec.encode(message))
        wire["v"][1] += minor
        wire["m"]["a_field_of_tomorrow"] = {"x": [1]}
        wire["hint"] = "of tomorrow"
        self.assertEqual(message, codec.decode(json.dumps(wire)))

    @lenient
    @hypothesis.given(messages, st.integers(1, 9))
    def test_a_newer_major_is_refused_in_a_sentence(self, message, major):
        wire = json.loads(codec.encode(message))
        wire["v"][0] += major
        problem = self.assertRaises(errors.Invalid, codec.decode, json.dumps(wire))
        self.assertIn("upgrade this service first", problem.message)

    @hypothesis.given(st.binary(max_size=60) | st.text(max_size=60))
    def test_noise_is_refused(self, noise):
        self.assertRaises(errors.Invalid, codec.decode, noise)

    def test_unknown_type_is_refused_and_never_sent(self):
        self.assertRaises(errors.Invalid, codec.decode, '{"v":[1,0],"t":"Nuke","m":{}}')
        self.assertRaises(errors.Bug, codec.encode, errors.Failure)

    def test_every_family_of_problem_crosses_the_wire(self):
        for family, kind in errors.FAMILIES.items():
            failure = codec.decode(codec.encode(errors.as_failure(kind("why"))))
            problem = self.assertRaises(kind, errors.raise_failure, failure)
            self.assertEqual((family, "why"), (problem.family, problem.message))
