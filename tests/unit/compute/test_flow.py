# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Flows go back through what they took, and through everything when they do not know."""

import testtools

from nova_cells.compute import flow


class Flows(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.said = []

    def step(self, name, problem=None, undo_problem=None):
        def say(word, failing):
            self.said.append(word)
            if failing:
                raise failing
        return flow.Step(name, lambda: say(name, problem), lambda: say(f"-{name}", undo_problem))

    def run_flow(self, *steps, **more):
        flow.run(flow.Flow("f", steps), **more)

    def test_all_in_order(self):
        self.run_flow(self.step("a"), self.step("b"))
        self.assertEqual(["a", "b"], self.said)

    def test_back_through_the_step_that_failed_and_all_before(self):
        self.assertRaises(OSError, self.run_flow, self.step("a"), self.step("b", OSError()),
                          self.step("c"))
        self.assertEqual(["a", "b", "-b", "-a"], self.said)

    def test_repeated_goes_back_through_all(self):
        self.assertRaises(OSError, self.run_flow, self.step("a", OSError()), self.step("b"),
                          repeated=True)
        self.assertEqual(["a", "-b", "-a"], self.said)

    def test_way_back_that_fails_does_not_stop_the_others(self):
        self.assertRaises(OSError, self.run_flow, self.step("a"),
                          self.step("b", OSError(), KeyError()))
        self.assertEqual(["a", "b", "-b", "-a"], self.said)

    def test_interrupted_undoes_nothing(self):
        def before(name):
            if name == "b":
                raise flow.Interrupted("newer")
        self.assertRaises(flow.Interrupted, self.run_flow, self.step("a"), self.step("b"),
                          before=before)
        self.assertEqual(["a"], self.said)

    def test_killed_undoes_nothing(self):
        self.assertRaises(KeyboardInterrupt, self.run_flow, self.step("a"),
                          self.step("b", KeyboardInterrupt()))
        self.assertEqual(["a", "b"], self.said)
