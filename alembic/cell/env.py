"""Runs the migrations of the cell database on the connection that it is handed."""

from alembic import context

from nova_cells.db.cell import tables

context.configure(connection=context.config.attributes["connection"],
                  target_metadata=tables.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
