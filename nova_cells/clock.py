# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Time and names, injected everywhere so that a whole cluster can run in one thread from a seed.

``time()`` is what people read; it orders nothing and judges nobody's liveness.  ``monotonic()``
measures how long something took on this machine and means nothing on another.
"""

import time
import typing
import uuid


class Clock(typing.Protocol):
    """Two clocks, in seconds."""

    def time(self) -> float:
        """Seconds since the epoch, UTC; may jump."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""


class Ids(typing.Protocol):
    """Where new uuids come from."""

    def uuid(self) -> str:
        """A new uuid, in its usual spelling."""


class SystemClock:
    """The machine's clocks."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


class RandomIds:
    """Real, random uuids."""

    def uuid(self) -> str:
        return str(uuid.uuid4())
