"""Signs of life of the hosts, as each conductor heard them"""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema."""
    op.create_table('signs',
    sa.Column('conductor', sa.String(length=36), nullable=False),
    sa.Column('heard', sa.LargeBinary(length=16777215), nullable=False),
    sa.PrimaryKeyConstraint('conductor', name=op.f('pk_signs')),
    mysql_charset='utf8mb4',
    mysql_collate='utf8mb4_nopad_bin',
    mysql_engine='InnoDB'
    )


def downgrade() -> None:
    """Back again; whom the conductors heard, they hear again."""
    op.drop_table('signs')
