"""A request for a place, as it travels to a scheduler service and back to what filters read."""

from nova_cells.domain import selection
from nova_cells.scheduler import choose


def wanted(server: str, request: choose.Request) -> selection.Wanted:
    """The request, as it travels."""
    return selection.Wanted(
        server=server, amounts=request.amounts, required=tuple(sorted(request.required)),
        forbidden=tuple(sorted(request.forbidden)), zone=request.zone, forced=request.forced,
        avoid=tuple(sorted(request.avoid)), only=tuple(sorted(request.only)),
        tried=tuple(sorted(request.tried)))


def request(asked: selection.Wanted) -> choose.Request:
    """The request, as it came."""
    return choose.Request(
        amounts=asked.amounts, required=frozenset(asked.required),
        forbidden=frozenset(asked.forbidden), zone=asked.zone, forced=asked.forced,
        avoid=frozenset(asked.avoid), only=frozenset(asked.only), tried=frozenset(asked.tried))
