"""Replay or search: ``python -m tests.simulation --seed 17 -v`` or ``--seeds 0-5000``."""

import argparse
import logging
import sys
import time
import traceback

from tests.simulation import seeds, workload


def main() -> int:
    """Run seeds; name those that fail."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seed", type=int, help="replay one seed")
    parser.add_argument("--seeds", help="first-last, inclusive")
    parser.add_argument("-v", "--verbose", action="store_true", help="print every message")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO if args.verbose else logging.CRITICAL)
    if args.seed is not None:
        chosen = [args.seed]
    else:
        chosen = seeds.span(args.seeds or seeds.DEFAULT)
    failed, began, delivered = [], time.monotonic(), 0
    for count, seed in enumerate(chosen, 1):
        run = workload.Run(seed, verbose=args.verbose)
        try:
            run.go()
        except Exception as problem:
            failed.append(seed)
            if args.verbose or not isinstance(problem, AssertionError):
                traceback.print_exc()
            print(f"FAILED {str(problem)[:1500]}\n  {seeds.replay(seed)}", flush=True)
        delivered += run.cluster.delivered
        if count % 100 == 0:
            print(f"{count} seeds, {len(failed)} failed, {delivered} messages, "
                  f"{time.monotonic() - began:.0f} s", flush=True)
    print(f"{len(chosen)} seeds, {len(failed)} failed, {delivered} messages, "
          f"{time.monotonic() - began:.1f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
