# Licensed under the Apache License, Version 2.0; see the file LICENSE.

import testtools

from nova_cells.rpc import breaker


class BreakerTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.now = 100.0
        self.breaker = breaker.Breaker(3, 10.0, lambda: self.now)

    def fail(self, times):
        for _ in range(times):
            self.assertTrue(self.breaker.allow())
            self.breaker.failed()

    def test_failures_in_a_row(self):
        self.fail(2)
        self.breaker.succeeded()
        self.fail(2)
        self.assertEqual("closed", self.breaker.state)
        self.fail(1)
        self.assertEqual("open", self.breaker.state)
        self.assertFalse(self.breaker.allow())

    def test_half_open_lets_one_try(self):
        self.fail(3)
        self.now += 10
        self.assertEqual("half-open", self.breaker.state)
        self.assertTrue(self.breaker.allow())
        self.assertFalse(self.breaker.allow())
        self.breaker.succeeded()
        self.assertTrue(self.breaker.allow())
        self.assertTrue(self.breaker.allow())

    def test_one_failure_opens_again(self):
        self.fail(3)
        self.now += 10
        self.fail(1)
        self.assertEqual("open", self.breaker.state)
        self.now += 10
        self.assertTrue(self.breaker.allow())

    def test_a_trial_that_never_happened(self):
        self.fail(3)
        self.now += 10
        self.assertTrue(self.breaker.allow())
        self.breaker.abandoned()
        self.assertTrue(self.breaker.allow())
