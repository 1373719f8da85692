"""Runs the migrations of the view database on the connection that it is handed."""

from alembic import context

from nova_cells.db.view import tables

context.configure(connection=context.config.attributes["connection"],
                  target_metadata=tables.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
