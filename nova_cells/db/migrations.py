# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Where the two histories of the schema lie on disk.

They stand in a top-level ``alembic/`` and not inside the package: in a checkout (an editable
install is one) beside ``nova_cells/``, in an installed wheel under ``share/nova-cells/`` of the
environment.
"""

import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from alembic import command, script
from alembic import config as alembic_config
from alembic.runtime import migration

from nova_cells.db import collations, engine

HISTORIES = ("view", "cell")
LONGEST = 86_400                 # seconds that one statement of a migration may take


def script_location(history: str) -> str:
    """The absolute path of the alembic scripts of ``history``, which is ``"view"`` or ``"cell"``.

    Raises ValueError for another name, FileNotFoundError if the scripts were not installed.
    """
    if history not in HISTORIES:
        raise ValueError(f"no history {history!r}: it is one of {', '.join(HISTORIES)}")
    tried = [place / history for place in dict.fromkeys(_places())]
    for path in tried:
        if (path / "env.py").is_file():
            return str(path)
    raise FileNotFoundError(
        f"the migrations of the {history} database are not in {' nor in '.join(map(str, tried))}:"
        " install nova-cells again, or run from a complete checkout"
    )


def _places() -> Iterator[Path]:
    """A checkout first: whoever edits a migration wants that one to run."""
    yield Path(__file__).resolve().parents[2] / "alembic"
    yield Path(sys.prefix) / "share" / "nova-cells" / "alembic"
    # Where else an installer may put data files: pip --user, and Debian's /usr/local.
    for scheme in (sysconfig.get_preferred_scheme("user"), sysconfig.get_default_scheme()):
        data = sysconfig.get_path("data", scheme)
        if data:
            yield Path(data) / "share" / "nova-cells" / "alembic"


def upgrade(history: str, url: str, revision: str = "head") -> None:
    """Bring the schema of a database to ``revision``.  Safe to repeat; ``Unusable`` in one
    sentence if the database cannot be reached."""
    database = engine.Database(url, statement_timeout=LONGEST)
    try:
        database.ping()
        collations.check(database)
        with database.write() as connection:
            config = alembic_config.Config()
            config.set_main_option("script_location", script_location(history).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    finally:
        database.close()


def current(history: str, url: str) -> tuple[str | None, str | None]:
    """(the revision of the database, the newest that we have)."""
    database = engine.Database(url)
    try:
        with database.read() as connection:
            found = migration.MigrationContext.configure(connection).get_current_revision()
    finally:
        database.close()
    return found, script.ScriptDirectory(script_location(history)).get_current_head()
