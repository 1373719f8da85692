# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""``Idempotency-Key``: a request that is sent again is carried out once, and answered the same.

The key is the client's word for one thing that it wants done.  By project, user and key the reply
is kept, in the transaction that does the thing, for ``[api] idempotency_hours``; the same key with
another body or microversion is 422, for then one of the two is a mistake.  What failed is not
kept: it may be tried again.  May assume that the body was checked.
"""

import hashlib
import typing

import orjson

from nova_cells.api.orders import Once
from nova_cells.api.request import Reply
from nova_cells.db.view.replies import Kept
from nova_cells.domain import errors

HEADER = "Idempotency-Key"
LONGEST = 255


def key(request: typing.Any) -> str | None:
    """The request's key.  ``Invalid`` if it cannot be one."""
    given = request.http.headers.get(HEADER)
    if given is None:
        return None
    if not 0 < len(given) <= LONGEST or not given.isascii() or not given.isprintable():
        raise errors.Invalid(f"{HEADER} is 1 to {LONGEST} printable ASCII characters.")
    return given


def before(request: typing.Any) -> Reply | None:
    """The reply that was given to the same request."""
    given = key(request)
    if given is None:
        return None
    services = request.services
    with services.view.read() as tx:
        kept = services.view.replies.find(tx, _name(request, given), services.now())
    return None if kept is None else again(request, kept)


def keep(request: typing.Any, reply: Reply) -> Once | None:
    """What is to be kept with the thing itself; None without a key."""
    given = key(request)
    if given is None:
        return None
    services = request.services
    sealed = services.view.seal.close(orjson.dumps([reply.body, reply.headers]))
    return Once(name=_name(request, given), digest=_digest(request), reply=sealed,
                until=services.now() + services.conf.api.idempotency_hours * 3600.0)


def again(request: typing.Any, kept: Kept) -> Reply:
    """The same reply; 422 if something else was asked."""
    if kept.digest != _digest(request):
        raise errors.Invalid(f"This {HEADER} was used for another request.", status=422)
    body, headers = orjson.loads(request.services.view.seal.open(kept.reply))
    return Reply(body, headers=tuple((name, value) for name, value in headers))


def _name(request: typing.Any, given: str) -> str:
    who = request.context
    text = orjson.dumps([who.project_id, who.user_id, given])
    return hashlib.sha256(text).hexdigest()


def _digest(request: typing.Any) -> str:
    asked = [request.version, request.action.key, request.body]
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()
