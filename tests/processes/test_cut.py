# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Every run's part of a cell that is silent, one that is cut off, and clocks that are wrong.

The long forms are the commands ``blackhole``, ``cut`` and ``skew`` beside this file.  Times are
told, not judged: this machine does other things too.
"""

import unittest

import testtools

from tests.processes import blackhole, cut, skew
from tests.processes.test_processes import of_this_run
from tests.servers import process

# The API tells the age of a cell by what the collector's wall clock wrote: one that is a minute
# behind the API's own shows services as down that are up.  Nothing is decided by it.
NOT_YET = {"collector-behind"}


def needed(call, *words):
    """What it finds; skipped, with the reason, where something is missing."""
    try:
        return call(*words)
    except process.Missing as missing:
        raise unittest.SkipTest(str(missing)) from None


class Apart(testtools.TestCase):
    def test_a_silent_cell(self):
        """No root needed: a bus that takes connections and answers nothing."""
        d = needed(lambda: blackhole.Wired(cells=3, hosts=1, scheduler=False))
        self.addCleanup(d.remove)
        d.start()
        found = blackhole.run(d, times=1, seconds=12.0)
        self.assertEqual([], found["wrong"], found)

    def test_a_way_that_is_cut(self):
        (found,) = needed(cut.drill, of_this_run(sorted(cut.WAYS), 1), 1, 12.0, 2)
        self.assertEqual([], found["wrong"], found)

    def test_wrong_clocks(self):
        phases = sorted(set(skew.PHASES) - NOT_YET)
        for found in needed(skew.drill, of_this_run(phases, 1)):
            self.assertEqual([], found["wrong"], found)
