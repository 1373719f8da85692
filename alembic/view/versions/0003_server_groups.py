"""Server groups and who is in them"""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

_MYSQL = {'mysql_engine': 'InnoDB', 'mysql_charset': 'utf8mb4',
          'mysql_collate': 'utf8mb4_nopad_bin'}


def upgrade() -> None:
    """Expand the schema."""
    op.create_table(
        'server_groups',
        sa.Column('id', sa.Integer(), autoincrement=True, nullable=False),
        sa.Column('uuid', sa.String(length=36), nullable=False),
        sa.Column('project_id', sa.String(length=255), nullable=False),
        sa.Column('user_id', sa.String(length=255), nullable=False),
        sa.Column('name', sa.String(length=255), nullable=False),
        sa.Column('policy', sa.String(length=32), nullable=False),
        sa.Column('max_per_host', sa.Integer(), nullable=True),
        sa.Column('cell', sa.String(length=36), nullable=True),
        sa.Column('turn', sa.BigInteger(), nullable=False),
        sa.Column('created_at', sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_server_groups')),
        sa.UniqueConstraint('uuid', name=op.f('uq_server_groups_uuid')), **_MYSQL)
    op.create_index('ix_server_groups_project_id', 'server_groups', ['project_id'])
    op.create_table(
        'server_group_members',
        sa.Column('server', sa.String(length=36), nullable=False),
        sa.Column('server_group', sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint('server', name=op.f('pk_server_group_members')), **_MYSQL)
    op.create_index('ix_server_group_members_server_group', 'server_group_members',
                    ['server_group'])


def downgrade() -> None:
    """Back again; the groups are gone."""
    op.drop_table('server_group_members')
    op.drop_table('server_groups')
