"""Moves of servers between hosts"""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema."""
    op.create_table('migrations',
    sa.Column('uuid', sa.String(length=36), nullable=False),
    sa.Column('server', sa.String(length=36), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('status', sa.String(length=32), nullable=False),
    sa.Column('open', sa.Boolean(), nullable=False),
    sa.Column('source', sa.String(length=255), nullable=False),
    sa.Column('dest', sa.String(length=255), nullable=False),
    sa.Column('updated_at', sa.Double(), nullable=False),
    sa.Column('record', sa.LargeBinary(length=16777215), nullable=False),
    sa.PrimaryKeyConstraint('uuid', name=op.f('pk_migrations')),
    mysql_charset='utf8mb4',
    mysql_collate='utf8mb4_nopad_bin',
    mysql_engine='InnoDB'
    )
    with op.batch_alter_table('migrations', schema=None) as batch_op:
        batch_op.create_index('ix_migrations_server', ['server', 'open'], unique=False)
        batch_op.create_index('ix_migrations_open', ['open', 'status'], unique=False)


def downgrade() -> None:
    """Back again; moves under way are forgotten."""
    op.drop_table('migrations')
