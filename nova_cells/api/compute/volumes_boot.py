# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""``/os-volumes_boot``: another name of ``/servers``, up to 2.102.

Its actions are those of other modules under other paths.  Source: the public api-ref.
"""

import collections.abc

from nova_cells.api import microversion
from nova_cells.api.catalogue import Action

LAST = "2.102"
_PATHS = ("/servers", "/servers/detail", "/servers/{id}", "/servers/{id}/action")
_KEYS = ("confirmResize", "revertResize", "reboot", "resize", "rebuild", "createImage",
         "os-start", "os-stop", "trigger_crash_dump")


def more(actions: collections.abc.Iterable[Action]) -> list[Action]:
    """Actions made of those of other modules."""
    return [_twin(action) for action in actions
            if action.path in _PATHS and (not action.keyed or action.key in _KEYS)
            and action.window[0] <= microversion.minor(LAST)]


def _twin(action: Action) -> Action:
    last = min(action.window[1], microversion.minor(LAST))
    return action._replace(path=action.path.replace("/servers", "/os-volumes_boot"),
                           until=microversion.text(last))
