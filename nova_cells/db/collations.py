# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""One order of texts on every database: by code point, trailing blanks included (law T13).

SQLite has it by itself.  On MariaDB our tables say so themselves (utf8mb4_nopad_bin).  On
PostgreSQL it is a property of the database, chosen when it is made; ``check`` looks whether it was
chosen so, by what it does and not by its name.
"""

import sqlalchemy as sa

from nova_cells.db import engine

_ORDERED = sa.text("SELECT 'Z' < 'a' AND 'a-b' < 'aa' AND 'a' < 'a ' AND 'z' < 'é'")
_ENCODING = sa.text("SHOW server_encoding")


def check(database: engine.Database) -> None:
    """``Unusable`` with the mend if texts would be ordered otherwise, or not be kept whole."""
    if database.engine.dialect.name != "postgresql":
        return
    with database.read() as tx:
        encoding = tx.execute(_ENCODING).scalar_one()
        ordered = encoding == "UTF8" and tx.execute(_ORDERED).scalar_one()
    if not ordered:
        name = database.engine.url.database
        raise engine.Unusable(
            f"the database {name} does not order texts by code point in UTF-8; make it with: "
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'")
