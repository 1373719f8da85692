# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The schema of this release, written down so that the next one can be held against it.

``python -m tests.recorded.schema`` writes ``schema-view.json`` and ``schema-cell.json`` anew, from
what the migrations make of an empty database.  Refuses what is no expansion (decision 0017) unless
``--contract`` says that a release has passed since the code stopped using what goes.
"""

import argparse
import json
import pathlib
import sys
import tempfile

import sqlalchemy as sa

from nova_cells.db import engine, migrations

HERE = pathlib.Path(__file__).parent


def path(history: str) -> pathlib.Path:
    """Where the schema of ``"view"`` or ``"cell"`` is recorded."""
    return HERE / f"schema-{history}.json"


def recorded(history: str) -> dict:
    """What is recorded."""
    return json.loads(path(history).read_text())


def made(history: str) -> dict:
    """What the migrations make."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/db"
        migrations.upgrade(history, url)
        database = engine.Database(url)
        try:
            return described(database.engine)
        finally:
            database.close()


def described(made: sa.Engine) -> dict:
    """table -> columns, primary key, unique keys, indexes; in words that are SQLite's."""
    inspector = sa.inspect(made)
    return {table: {
        "columns": {column["name"]: {
            "type": str(column["type"]), "nullable": column["nullable"],
            **({"default": str(column["default"])} if column["default"] is not None else {})}
            for column in inspector.get_columns(table)},
        "primary_key": inspector.get_pk_constraint(table)["constrained_columns"],
        "unique": sorted(key["column_names"] for key in inspector.get_unique_constraints(table)),
        "indexes": {index["name"]: index["column_names"]
                    for index in inspector.get_indexes(table) if index["name"]},
    } for table in sorted(inspector.get_table_names()) if table != "alembic_version"}


def breaches(old: dict, new: dict) -> list[str]:
    """In words, what in ``new`` the code of the release of ``old`` could not work with: it knows
    no new column, and expects every old one as it was."""
    found = []
    for table, before in old.items():
        if table not in new:
            found.append(f"the table {table} is gone")
            continue
        after = new[table]
        for name, column in before["columns"].items():
            if after["columns"].get(name) is None:
                found.append(f"{table}.{name} is gone or renamed")
            elif _narrower(column, after["columns"][name]):
                found.append(f"{table}.{name} was {column} and is {after['columns'][name]}")
        found += [f"{table}.{name} is new, and neither nullable nor with a default of the server"
                  for name, column in after["columns"].items()
                  if name not in before["columns"] and not column["nullable"]
                  and "default" not in column]
        if before["primary_key"] != after["primary_key"]:
            found.append(f"{table} has another primary key")
        found += [f"{table} has a new unique key {key}" for key in after["unique"]
                  if key not in before["unique"]]
        found += [f"{table} has lost its unique key {key}" for key in before["unique"]
                  if key not in after["unique"]]
    return found


def _narrower(old: dict, new: dict) -> bool:
    """Another type; or null no longer allowed, where the old code may write it."""
    return old["type"] != new["type"] or (old["nullable"] and not new["nullable"])


def main() -> int:
    """Write both."""
    parser = argparse.ArgumentParser(prog="python -m tests.recorded.schema", description=__doc__)
    parser.add_argument("--contract", action="store_true",
                        help="record also what the release before this one could not work with")
    allowed = parser.parse_args().contract
    code = 0
    for history in migrations.HISTORIES:
        new = made(history)
        wrong = breaches(recorded(history), new) if path(history).exists() else []
        if wrong and not allowed:
            sys.stderr.write("".join(f"{history}: {word}\n" for word in wrong))
            code = 1
            continue
        path(history).write_text(json.dumps(new, indent=1) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
