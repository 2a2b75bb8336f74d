"""suggestions of models

Revision: 0007, after 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "suggesting",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("method", sa.String(length=12), nullable=False),
        sa.Column("wished", sa.Double(), nullable=False),
        sa.Column("only", sa.String(length=12), nullable=True),
        sa.Column("keys", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("actor_name", sa.String(length=120), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name=op.f("fk_suggesting_dataset_id")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_suggesting_run_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_suggesting_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suggesting")),
    )
    op.create_index("ix_suggesting_dataset_id", "suggesting", ["dataset_id", "id"])
    op.create_table(
        "suggestion",
        sa.Column("revision_id", sa.Integer(), nullable=False),
        sa.Column("suggesting_id", sa.Integer(), nullable=False),
        sa.Column("expected", sa.Double(), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["revision_id"], ["revision.id"], name=op.f("fk_suggestion_revision_id")),
        sa.ForeignKeyConstraint(["suggesting_id"], ["suggesting.id"], name=op.f("fk_suggestion_suggesting_id")),
        sa.PrimaryKeyConstraint("revision_id", name=op.f("pk_suggestion")),
    )
    op.create_index("ix_suggestion_suggesting_id", "suggestion", ["suggesting_id"])


def downgrade() -> None:
    op.drop_index("ix_suggestion_suggesting_id", table_name="suggestion")
    op.drop_table("suggestion")
    op.drop_index("ix_suggesting_dataset_id", table_name="suggesting")
    op.drop_table("suggesting")
