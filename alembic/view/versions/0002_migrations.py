"""Moves of servers between hosts"""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema."""
    op.create_table('migrations',
    sa.Column('id', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('uuid', sa.String(length=36), nullable=False),
    sa.Column('cell', sa.String(length=36), nullable=False),
    sa.Column('server', sa.String(length=36), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('status', sa.String(length=32), nullable=False),
    sa.Column('source', sa.String(length=255), nullable=False),
    sa.Column('source_node', sa.String(length=255), nullable=False),
    sa.Column('dest', sa.String(length=255), nullable=False),
    sa.Column('dest_node', sa.String(length=255), nullable=False),
    sa.Column('user_id', sa.String(length=255), nullable=False),
    sa.Column('project_id', sa.String(length=255), nullable=False),
    sa.Column('old_flavor', sa.Integer(), nullable=True),
    sa.Column('new_flavor', sa.Integer(), nullable=True),
    sa.Column('created_at', sa.Double(), nullable=False),
    sa.Column('updated_at', sa.Double(), nullable=False),
    sa.Column('record', sa.LargeBinary(length=16777215), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_migrations')),
    sa.UniqueConstraint('uuid', name=op.f('uq_migrations_uuid')),
    mysql_charset='utf8mb4',
    mysql_collate='utf8mb4_nopad_bin',
    mysql_engine='InnoDB'
    )
    with op.batch_alter_table('migrations', schema=None) as batch_op:
        batch_op.create_index('ix_migrations_server', ['server', 'id'], unique=False)
        batch_op.create_index('ix_migrations_list', ['created_at', 'id'], unique=False)
        batch_op.create_index('ix_migrations_project_list',
                              ['project_id', 'created_at', 'id'], unique=False)


def downgrade() -> None:
    """Back again; what was moved is forgotten."""
    op.drop_table('migrations')
