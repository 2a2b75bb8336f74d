"""indexes hold what a walk along them tests, so that it needn't look each row up

Revision: 0012, after 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

WORST, VALUE = sa.text("worst DESC"), sa.text("value DESC")
# index -> (table, its columns before, its columns now)
CHANGED = {
    "ix_sample_worst": (
        "sample",
        ["dataset_id", WORST, "id", "status", "key"],
        ["dataset_id", WORST, "id", "status", "key", "split"],
    ),
    "ix_score_value": (
        "score",
        ["dataset_id", "check", VALUE, "sample_id"],
        ["dataset_id", "check", VALUE, "sample_id", "revision_id"],
    ),
    "ix_flag_sample_id": ("flag", ["sample_id", "state"], ["sample_id", "state", "check", "revision_id"]),
    "ix_flag_check": (
        "flag",
        ["dataset_id", "check", "state"],
        ["dataset_id", "check", "state", "sample_id", "revision_id"],
    ),
}


def upgrade() -> None:
    for name, (table, _, now) in CHANGED.items():
        op.drop_index(name, table_name=table)
        op.create_index(name, table, now)
    op.create_index("ix_sample_newest", "sample", ["dataset_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_sample_newest", table_name="sample")
    for name, (table, before, _) in CHANGED.items():
        op.drop_index(name, table_name=table)
        op.create_index(name, table, before)
