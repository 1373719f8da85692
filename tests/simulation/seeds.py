# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Which seeds are run, and how one is replayed."""

import os

DEFAULT = "0-199"
VARIABLE = "NOVA_CELLS_SEEDS"


def span(words: str) -> range:
    """``"0-199"`` (inclusive) or ``"17"``."""
    first, _dash, last = words.partition("-")
    return range(int(first), int(last or first) + 1)


def asked() -> range:
    """What the environment asks for."""
    return span(os.environ.get(VARIABLE) or DEFAULT)


def replay(seed: int) -> str:
    """The one command that shows a failure again."""
    return f"replay: python -m tests.simulation --seed {seed} -v"
