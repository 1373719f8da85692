"""Side errands: the volumes and interfaces of servers, and what is being done about them"""

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema."""
    op.create_table('errands',
    sa.Column('uuid', sa.String(length=36), nullable=False),
    sa.Column('server', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('subject', sa.String(length=36), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('rest', sa.String(length=16), nullable=False),
    sa.Column('verb', sa.String(length=32), nullable=False),
    sa.Column('host', sa.String(length=255), nullable=False),
    sa.Column('op', sa.String(length=36), nullable=True),
    sa.Column('began_at', sa.Double(), nullable=False),
    sa.Column('due_at', sa.Double(), nullable=False),
    sa.Column('record', sa.LargeBinary(length=16777215), nullable=False),
    sa.PrimaryKeyConstraint('uuid', name=op.f('pk_errands')),
    sa.UniqueConstraint('server', 'kind', 'subject', name=op.f('uq_errands_server')),
    mysql_charset='utf8mb4',
    mysql_collate='utf8mb4_nopad_bin',
    mysql_engine='InnoDB'
    )
    with op.batch_alter_table('errands', schema=None) as batch_op:
        batch_op.create_index('ix_errands_due', ['verb', 'due_at'], unique=False)
        batch_op.create_index('ix_errands_rest', ['rest', 'began_at'], unique=False)


def downgrade() -> None:
    """Back again; what is attached is known to the servers' records alone."""
    op.drop_table('errands')
