"""Flows: steps, each with its way back.  Any step may fail, be interrupted, or be taken twice."""

import collections.abc
import logging

import msgspec

from nova_cells.domain import errors

LOG = logging.getLogger(__name__)
Do = collections.abc.Callable[..., None]


class Interrupted(errors.Problem):
    """A newer task for the same server has come: stop here, undo nothing, let it decide."""


class Step(msgspec.Struct, frozen=True):
    """One step and its way back; ``keep`` as way back: harmless to leave."""

    name: str
    do: Do
    undo: Do


class Flow(msgspec.Struct, frozen=True):
    """Named steps in order."""

    name: str
    steps: tuple[Step, ...]


def keep(*_args: object) -> None:
    """The way back of a step that leaves nothing to clean."""


def run(flow: Flow, *args: object, repeated: bool = False,
        before: collections.abc.Callable[[str], None] = lambda name: None) -> None:
    """Take the steps; when one fails, go back through it and all before it, then raise what
    happened.  ``before`` is told each step's name first, and may raise ``Interrupted``.

    ``repeated``: the flow was begun once and its end is not known, so any step may have been
    taken then; going back means all of them.
    """
    taken: list[Step] = list(flow.steps) if repeated else []
    try:
        for step in flow.steps:
            if not repeated:
                taken.append(step)       # a failed step may have happened by half
            before(step.name)
            step.do(*args)
    except Interrupted:
        raise
    except Exception:                    # a driver's bug leaves no less behind than a refusal
        undo(flow, taken, *args)
        raise


def undo(flow: Flow, taken: collections.abc.Sequence[Step], *args: object) -> None:
    """Go back.  A way back that fails is logged and the others are still taken; what it leaves
    is found when the host is compared with what the cell believes."""
    for step in reversed(taken):
        try:
            step.undo(*args)
        except errors.NotFound:          # the step was not taken: nothing to go back from
            continue
        except Exception as problem:
            LOG.error("flow=%s the way back of step %s failed: %s", flow.name, step.name, problem)
