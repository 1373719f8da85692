"""Host aggregates, their metadata and their hosts"""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

_MYSQL = {'mysql_engine': 'InnoDB', 'mysql_charset': 'utf8mb4',
          'mysql_collate': 'utf8mb4_nopad_bin'}


def upgrade() -> None:
    """Expand the schema."""
    op.create_table(
        'aggregates',
        sa.Column('id', sa.Integer(), autoincrement=True, nullable=False),
        sa.Column('uuid', sa.String(length=36), nullable=False),
        sa.Column('name', sa.String(length=255), nullable=False),
        sa.Column('created_at', sa.Double(), nullable=False),
        sa.Column('updated_at', sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_aggregates')),
        sa.UniqueConstraint('name', name=op.f('uq_aggregates_name')),
        sa.UniqueConstraint('uuid', name=op.f('uq_aggregates_uuid')), **_MYSQL)
    op.create_table(
        'aggregate_metadata',
        sa.Column('aggregate', sa.Integer(), nullable=False),
        sa.Column('key', sa.String(length=255), nullable=False),
        sa.Column('value', sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(['aggregate'], ['aggregates.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('aggregate', 'key', name=op.f('pk_aggregate_metadata')), **_MYSQL)
    op.create_table(
        'aggregate_hosts',
        sa.Column('aggregate', sa.Integer(), nullable=False),
        sa.Column('host', sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(['aggregate'], ['aggregates.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('aggregate', 'host', name=op.f('pk_aggregate_hosts')), **_MYSQL)


def downgrade() -> None:
    """Back again; the aggregates are gone, and all hosts in one zone."""
    op.drop_table('aggregate_hosts')
    op.drop_table('aggregate_metadata')
    op.drop_table('aggregates')
