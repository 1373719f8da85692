"""Remembers for a few seconds what is known of an image, so that a burst of creates asks once.

May assume that a token is scoped to one project.  Never shows one token what another saw:
the key is the image and the token's hash, so nothing is shared between projects, nor with
our own service user.  Failures are not remembered.
"""

import collections
import collections.abc
import hashlib
import threading
import time
import typing

from nova_cells.domain import server as model
from nova_cells.image import protocol

LIMIT = 1000                             # entries kept


class CachedImages:
    """An image room that asks another one."""

    def __init__(self, room: protocol.ImageRoom, ttl: float,
                 now: collections.abc.Callable[[], float] = time.monotonic) -> None:
        self._room, self._ttl, self._now = room, ttl, now
        self._known: collections.OrderedDict[tuple[str, bytes],
                                             tuple[float, model.ImageFacts]] = (
            collections.OrderedDict())
        self._lock = threading.Lock()

    def facts(self, image_id: str, token: str | None = None) -> model.ImageFacts:
        """As the room says, or said to the same token up to ``ttl`` seconds ago."""
        key = (image_id, hashlib.sha256(token.encode()).digest() if token is not None else b"")
        with self._lock:
            until, image = self._known.get(key, (0.0, None))
        if image is not None and self._now() < until:
            return image
        image = self._room.facts(image_id, token)
        with self._lock:
            self._known[key] = (self._now() + self._ttl, image)
            self._known.move_to_end(key)
            while len(self._known) > LIMIT:
                self._known.popitem(last=False)
        return image

    def __getattr__(self, name: str) -> typing.Any:
        """Everything else is straight from the room."""
        return getattr(self._room, name)
