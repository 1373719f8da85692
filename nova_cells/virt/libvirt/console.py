"""What a guest said on its serial console: the end of the log that virtlogd writes.

May assume that the older half of a rotated log is ``console.log.0``.  Never reads more than
the limit, and takes the guest's words for what they are: bytes of a stranger.
"""

import os

LIMIT = 100 * 1024                       # bytes shown when nobody says how many lines


def tail(path: str, lines: int | None) -> str:
    """The last ``lines`` lines; None: the last 100 KiB.  Nothing if there is no log."""
    if lines is not None and lines <= 0:
        return ""
    said = _end(path, LIMIT)
    if len(said) < LIMIT:
        said = _end(path + ".0", LIMIT - len(said)) + said
    text = said.decode("utf-8", "replace")
    return text if lines is None else "".join(text.splitlines(keepends=True)[-lines:])


def _end(path: str, limit: int) -> bytes:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - limit))
            return file.read(limit)
    except FileNotFoundError:
        return b""
