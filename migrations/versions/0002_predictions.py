"""predictions, regions and what learned from them

Revision: 0002, after 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("kind", sa.String(length=12), server_default="train", nullable=False))
    op.add_column("revision", sa.Column("run_id", sa.Integer(), nullable=True))
    op.add_column("score", sa.Column("run_id", sa.Integer(), nullable=True))
    op.add_column("score", sa.Column("fold", sa.Integer(), nullable=True))
    op.create_table(
        "prediction",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("fold", sa.Integer(), nullable=False),
        sa.Column("revision_id", sa.Integer(), nullable=True),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.Column("suspicion_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["revision_id"], ["revision.id"], name=op.f("fk_prediction_revision_id")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_prediction_run_id")),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_prediction_sample_id")),
        sa.ForeignKeyConstraint(["suspicion_id"], ["raster.id"], name=op.f("fk_prediction_suspicion_id")),
        sa.PrimaryKeyConstraint("run_id", "sample_id", name=op.f("pk_prediction")),
    )
    op.create_index("ix_prediction_sample_id", "prediction", ["sample_id", "run_id"])
    op.create_table(
        "region",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("revision_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=24), nullable=False),
        sa.Column("from_class", sa.Integer(), nullable=True),
        sa.Column("to_class", sa.Integer(), nullable=True),
        sa.Column("pixels", sa.BigInteger(), nullable=False),
        sa.Column("x", sa.Integer(), nullable=False),
        sa.Column("y", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("rle", sa.Text(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name=op.f("fk_region_dataset_id")),
        sa.ForeignKeyConstraint(["revision_id"], ["revision.id"], name=op.f("fk_region_revision_id")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_region_run_id")),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_region_sample_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_region")),
    )
    op.create_index("ix_region_sample_id", "region", ["sample_id", "revision_id", "state", "probability"])
    op.create_index("ix_region_run_id", "region", ["run_id"])
    op.create_index("ix_region_state", "region", ["dataset_id", "state", "probability"])
    counted = ["dataset_id", "state", "reason", "from_class", "to_class", "probability", "sample_id", "revision_id"]
    op.create_index("ix_region_counts", "region", counted)


def downgrade() -> None:
    op.drop_table("region")
    op.drop_table("prediction")
    op.drop_column("score", "fold")
    op.drop_column("score", "run_id")
    op.drop_column("revision", "run_id")
    op.drop_column("run", "kind")
