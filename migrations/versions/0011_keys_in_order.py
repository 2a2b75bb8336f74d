"""the index by which samples come worst first holds status and key, so that a text is looked for in it alone

Revision: 0011, after 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_sample_worst", table_name="sample")
    op.create_index("ix_sample_worst", "sample", ["dataset_id", sa.text("worst DESC"), "id", "status", "key"])


def downgrade() -> None:
    op.drop_index("ix_sample_worst", table_name="sample")
    op.create_index("ix_sample_worst", "sample", ["dataset_id", sa.text("worst DESC"), "id"])
