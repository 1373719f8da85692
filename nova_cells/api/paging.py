# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Pages of a list: how many a client may have, and the link to what follows.

Assumes that the action's query shape has checked ``limit`` and ``marker``.  Knows no tables:
the view pages by key (law T13).
"""

import typing
import urllib.parse

from nova_cells.api import shapes

#: What every paged list takes.
PARAMETERS: dict[str, typing.Any] = {"limit": shapes.optional(shapes.non_negative),
                                     "marker": shapes.optional(shapes.string())}


def limit(request: typing.Any) -> int:
    """How many things the page may hold: what was asked, at most [api] max_limit."""
    most = request.services.conf.api.max_limit
    asked = request.param("limit")
    return most if asked is None else min(int(asked), most)


def following(request: typing.Any, path: str, names: typing.Sequence[str],
              most: int) -> list[dict[str, str]]:
    """The link to the next page; none if this page was not full.  ``names``: its markers."""
    if not names or len(names) < most:
        return []
    kept = [(key, value) for key, value in request.http.GET.items() if key != "marker"]
    query = urllib.parse.urlencode([*kept, ("marker", names[-1])])
    return [{"rel": "next", "href": f"{request.place.versioned}{path}?{query}"}]
