# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The same seed gives the same run, in this process and in any other."""

import os
import subprocess
import sys

import testtools

from tests.simulation import workload

SEEDS = (3, 4, 11)
TRACE = ("import sys; from tests.simulation import workload\n"
         "for seed in sys.argv[1:]:\n"
         "    run = workload.Run(int(seed)); run.go(); print(run.cluster.trace())\n")


class Determinism(testtools.TestCase):
    def traces(self, hash_seed: str) -> list[str]:
        """In a process of its own, whose sets have an order of their own."""
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", TRACE, *map(str, SEEDS)], check=True,
            capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": hash_seed})
        return done.stdout.split()

    def test_every_process_makes_the_same_trace(self):
        one, other = self.traces("1"), self.traces("2")
        self.assertEqual(len(SEEDS), len(set(one)))
        self.assertEqual(one, other)

    def test_same_process_makes_it_again(self):
        traces = []
        for _time in range(2):
            run = workload.Run(SEEDS[0])
            run.go()
            traces.append(run.cluster.trace())
        self.assertEqual(*traces)
