"""Packing: how many more servers of a shape fit, counted jointly per host (wish K1)."""

import collections.abc


def joint_slots(amounts: dict[str, int], free: dict[str, int]) -> int:
    """How many times all of ``amounts`` fit together into ``free`` of one host."""
    if not amounts:
        return 0
    return max(0, min(free.get(name, 0) // amount for name, amount in amounts.items()))


def slots(amounts: dict[str, int], hosts: collections.abc.Iterable[dict[str, int]]) -> int:
    """The same over many hosts: a server does not straddle two."""
    return sum(joint_slots(amounts, free) for free in hosts)


def fullness(free: dict[str, int], capacity: dict[str, int]) -> float:
    """0 for an empty place, 1 for one whose scarcest class is used up."""
    shares = [1 - free.get(name, 0) / total for name, total in capacity.items() if total > 0]
    return max(0.0, min(1.0, max(shares, default=0.0)))
