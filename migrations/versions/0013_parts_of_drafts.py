"""drafts of a part of a picture

Revision: 0013, after 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("x", "y"):
        op.add_column("draft", sa.Column(name, sa.Integer(), nullable=True))


def downgrade() -> None:
    for name in ("x", "y"):
        op.drop_column("draft", name)
