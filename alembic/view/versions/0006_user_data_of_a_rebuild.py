"""User data may come up from a cell: which version it is of"""

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema."""
    op.add_column('servers', sa.Column('sealed_version', sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Back again."""
    with op.batch_alter_table('servers', schema=None) as batch_op:
        batch_op.drop_column('sealed_version')
