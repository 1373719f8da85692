# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Servers in every state, for hypothesis: shared by the laws."""

from hypothesis import strategies as st

from nova_cells.domain import lifecycle
from nova_cells.domain import server as model

FLAVOR = model.Flavor(id="1", name="f", vcpus=1, ram_mb=64, disk_gb=1)
POWERS = (0, 1, 3, 4, 6, 7)

rests = st.sampled_from(sorted(lifecycle.RESTS))
verbs = st.sampled_from(sorted(lifecycle.VERBS))
anything = st.none() | verbs
powers = st.sampled_from(POWERS)
times = st.floats(0, 4e9, allow_nan=False)


@st.composite
def servers(draw: st.DrawFn, rest: st.SearchStrategy[str] = rests,
            verb: st.SearchStrategy[str | None] = anything) -> model.Server:
    """A server at any rest, doing anything that may be done there, or nothing."""
    version = draw(st.integers(1, 1000))
    doing, where = draw(verb), draw(rest)
    if doing is not None and where not in lifecycle.VERBS[doing].start:
        where = draw(st.sampled_from(sorted(lifecycle.VERBS[doing].start)))
    return model.Server(
        uuid="00000000-0000-4000-8000-000000000001", project_id="p", user_id="u",
        epoch=draw(st.integers(1, 5)), version=version, flavor=FLAVOR, created_at=1.0,
        rest=where, verb=doing, phase=draw(st.integers(0, 4)) if doing else 0,
        ticket=draw(st.integers(1, version)), power_state=draw(powers), host="h1")
