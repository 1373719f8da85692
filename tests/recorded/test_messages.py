# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What the recorded release said is understood today; what it would not understand is not said."""

import json

import testtools

from nova_cells.domain import codec, errors
from tests.recorded import messages

MEND = "run: python -m tests.recorded.messages (only additions may change the file)"
RECORDED = json.loads(messages.PATH.read_text())


def broken(recorded: dict, today: dict) -> list[str]:
    """What of these shapes another release would stumble over."""
    found = []
    for name, fields in recorded.items():
        if name not in today:
            found.append(f"{name} is gone")
            continue
        for field, then in fields.items():
            now = today[name].get(field)
            if now is None:
                found.append(f"{name}.{field} is gone")
            elif set(then["holds"]) - set(now["holds"]):
                found.append(f"{name}.{field} no longer holds "
                             f"{sorted(set(then['holds']) - set(now['holds']))}")
            elif then["required"] != now["required"]:
                found.append(f"{name}.{field} is required {'no more' if then['required'] else ''}")
        found += [f"{name}.{field} is new and required"
                  for field in today[name].keys() - fields.keys()
                  if today[name][field]["required"]]
    return found


def contains(whole, part) -> bool:
    """Whether everything of ``part`` is in ``whole``, as it was."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and contains(whole[key], value) for key, value in part.items())
    if isinstance(part, list):
        return (isinstance(whole, list) and len(whole) == len(part)
                and all(map(contains, whole, part)))
    return bool(whole == part)


class Messages(testtools.TestCase):
    def test_what_was_said_is_understood(self):
        for name, wire in RECORDED["messages"].items():
            message = codec.decode(json.dumps(wire))
            self.assertEqual(name, type(message).__name__)
            again = json.loads(codec.encode(message))
            self.assertTrue(contains(again["m"], wire["m"]), f"{name}: {again} {wire}")
            self.assertEqual(message, codec.decode(codec.encode(message)))

    def test_additions_of_tomorrow_are_ignored(self):
        for wire in RECORDED["messages"].values():
            message = codec.decode(json.dumps(wire))
            wire = json.loads(json.dumps(wire))
            wire["m"]["of_tomorrow"], wire["v"][1], wire["more"] = {"x": [1]}, 99, 1
            self.assertEqual(message, codec.decode(json.dumps(wire)))

    def test_a_newer_major_version_is_refused_in_one_sentence(self):
        for wire in RECORDED["messages"].values():
            problem = self.assertRaises(errors.Invalid, codec.decode, json.dumps(
                {**wire, "v": [codec.VERSION[0] + 1, 0]}))
            self.assertIn("upgrade this service first", str(problem))
            self.assertNotIn("\n", str(problem))

    def test_only_additions(self):
        self.assertEqual([], broken(RECORDED["shapes"], messages.record()["shapes"]))

    def test_everything_is_recorded(self):
        self.assertEqual([], sorted(set(codec.TYPES) - set(RECORDED["messages"])), MEND)


class Broken(testtools.TestCase):
    """The check itself notices."""

    def changed(self, change) -> list[str]:
        today = json.loads(json.dumps(RECORDED["shapes"]))
        change(today)
        return broken(RECORDED["shapes"], today)

    def test_breaches(self):
        kept = {"holds": ["str"], "required": True}
        for change in (
                lambda s: s.pop("Act"), lambda s: s["Act"].pop("verb"),
                lambda s: s["Act"].update(verb={"holds": ["int"], "required": True}),
                lambda s: s["Act"].update(verb={"holds": ["str"], "required": False}),
                lambda s: s["Act"].update(want={**s["Act"]["want"], "required": True}),
                lambda s: s["Act"].update(fresh=kept),
                lambda s: s["Report"]["result"]["holds"].remove("= done")):
            self.assertEqual(1, len(self.changed(change)))

    def test_additions(self):
        def change(shapes):
            shapes["New"] = {}
            shapes["Act"]["fresh"] = {"holds": ["str"], "required": False}
            shapes["Act"]["verb"]["holds"].append("NoneType")

        self.assertEqual([], self.changed(change))
