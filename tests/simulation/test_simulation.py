# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The seeds of every run: ``NOVA_CELLS_SEEDS=0-199`` by default, in slices for parallel workers."""

import testtools

from tests.simulation import seeds, workload

SLICES = 20


class Seeds(testtools.TestCase):
    """Every seed comes to rest with every invariant whole."""

    def run_slice(self, number: int) -> None:
        failed = []
        for seed in seeds.asked()[number::SLICES]:
            try:
                workload.Run(seed).go()
            except Exception as problem:
                failed.append(f"seed {seed}: {problem!r}\n{seeds.replay(seed)}")
        self.assertEqual([], failed, "\n".join(failed))


def _slice(number: int):  # noqa: ANN202
    def test(self: Seeds) -> None:
        self.run_slice(number)
    return test


for _number in range(SLICES):
    setattr(Seeds, f"test_slice_{_number:02d}", _slice(_number))


class Spans(testtools.TestCase):
    def test_span_is_inclusive_and_one_number_is_a_span(self):
        self.assertEqual(range(0, 200), seeds.span("0-199"))
        self.assertEqual(range(17, 18), seeds.span("17"))

    def test_slices_hold_every_seed_once(self):
        every = range(0, 203)
        held = sorted(seed for number in range(SLICES) for seed in every[number::SLICES])
        self.assertEqual(list(every), held)
