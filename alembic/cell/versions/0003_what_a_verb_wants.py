"""What a verb under way wants beside its name"""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema."""
    op.add_column('servers', sa.Column('wanted', sa.LargeBinary(length=16777215), nullable=True))


def downgrade() -> None:
    """Back again; verbs under way that want something fail."""
    op.drop_column('servers', 'wanted')
