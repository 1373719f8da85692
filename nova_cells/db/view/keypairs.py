"""Key pairs: the public halves, which belong to a user and not to a project.

Creation is decided under the user's guard row (law T11), so racers never pass the limit.
Assumes a connection inside a transaction in every method.  Never holds a private key.
"""

import sqlalchemy as sa
from oslo_db import exception as db_exc

from nova_cells.db.view import quota, tables
from nova_cells.domain import errors
from nova_cells.domain import server as model

_ROWS = tables.keypairs


class KeyPair(model.Value, kw_only=True):
    """A stored key pair.  ``id`` is the row's number, which the Compute API shows."""

    id: int = 0
    user_id: str
    name: str
    kind: str = "ssh"            # or "x509"
    fingerprint: str
    public_key: str
    created_at: float = 0.0


class KeyPairs:
    """The key pairs of all users.  Stateless."""

    def create(self, tx: sa.Connection, pair: KeyPair, limit: int) -> KeyPair:
        """Store a key pair.  ``OverLimit`` beyond ``limit``, ``Conflict`` for a taken name."""
        quota.take_turn(tx, f"user:{pair.user_id}")
        count = sa.select(sa.func.count()).where(_ROWS.c.user_id == pair.user_id)
        if limit != quota.UNLIMITED and tx.execute(count).scalar_one() >= limit:
            raise errors.OverLimit("Quota exceeded, too many key pairs.")
        if tx.execute(_one(pair.user_id, pair.name)).first():
            raise _taken(pair.name)
        try:
            made = tx.execute(_ROWS.insert().values(
                user_id=pair.user_id, name=pair.name, type=pair.kind,
                fingerprint=pair.fingerprint, public_key=pair.public_key,
                created_at=pair.created_at))
        except db_exc.DBDuplicateEntry:
            raise _taken(pair.name) from None
        return model.replace(pair, id=made.inserted_primary_key.id)

    def get(self, tx: sa.Connection, user: str, name: str) -> KeyPair:
        """The user's key pair of this name, or ``NotFound``."""
        row = tx.execute(_one(user, name)).one_or_none()
        if row is None:
            raise _unknown(user, name)
        return _keypair(row)

    def list(self, tx: sa.Connection, user: str, limit: int | None = None,
             marker: str | None = None) -> list[KeyPair]:
        """A page of the user's key pairs by name, after ``marker``.  ``Invalid`` marker: 400."""
        query = sa.select(_ROWS).where(_ROWS.c.user_id == user).order_by(_ROWS.c.name)
        if marker is not None:
            if not tx.execute(_one(user, marker)).first():
                raise errors.Invalid(f"marker [{marker}] not found")
            query = query.where(_ROWS.c.name > marker)
        if limit is not None:
            query = query.limit(limit)
        return [_keypair(row) for row in tx.execute(query)]

    def delete(self, tx: sa.Connection, user: str, name: str) -> None:
        """Gone, or ``NotFound``.  Servers keep the key that they were booted with."""
        which = (_ROWS.c.user_id == user) & (_ROWS.c.name == name)
        if not tx.execute(_ROWS.delete().where(which)).rowcount:
            raise _unknown(user, name)


def _one(user: str, name: str) -> sa.Select:
    return sa.select(_ROWS).where(_ROWS.c.user_id == user, _ROWS.c.name == name)


def _taken(name: str) -> errors.Conflict:
    return errors.Conflict(f"Key pair '{name}' already exists.")


def _unknown(user: str, name: str) -> errors.NotFound:
    return errors.NotFound(f"Keypair {name} not found for user {user}")


def _keypair(row: sa.Row) -> KeyPair:
    return KeyPair(id=row.id, user_id=row.user_id, name=row.name, kind=row.type,
                   fingerprint=row.fingerprint, public_key=row.public_key,
                   created_at=row.created_at)
