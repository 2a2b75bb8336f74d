"""counts that are kept, and samples by class

Revision: 0010, after 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SHOWN = """
INSERT INTO sample_class (sample_id, class_id, dataset_id, pixels, worst)
SELECT sample.id, class_pixels.class_id, sample.dataset_id, class_pixels.pixels, sample.worst
FROM sample
JOIN revision ON revision.id = sample.current_id
JOIN class_pixels ON class_pixels.raster_id = revision.mask_id
"""
COUNTED = (
    "SELECT dataset_id, 'status', status, count(*), 0 FROM sample GROUP BY dataset_id, status",
    "SELECT dataset_id, 'split', coalesce(split, ''), count(*), 0 FROM sample GROUP BY dataset_id, coalesce(split, '')",
    "SELECT dataset_id, 'labelled', '', count(*), 0 FROM sample WHERE current_id IS NOT NULL GROUP BY dataset_id",
    """
    SELECT sample.dataset_id, 'size',
        raster.width || ' x ' || raster.height || ' x ' || raster.channels, count(*), 0
    FROM sample JOIN raster ON raster.id = sample.image_id
    GROUP BY sample.dataset_id, raster.width, raster.height, raster.channels
    """,
    """
    SELECT sample_class.dataset_id, 'class', CAST(sample_class.class_id AS VARCHAR(20)), count(*),
        sum(sample_class.pixels)
    FROM sample_class JOIN sample ON sample.id = sample_class.sample_id
    WHERE sample.status <> 'excluded'
    GROUP BY sample_class.dataset_id, sample_class.class_id
    """,
)


def upgrade() -> None:
    op.create_table(
        "sample_class",
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("class_id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("pixels", sa.BigInteger(), nullable=False),
        sa.Column("worst", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name=op.f("fk_sample_class_dataset_id")),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_sample_class_sample_id")),
        sa.PrimaryKeyConstraint("sample_id", "class_id", name=op.f("pk_sample_class")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tally",
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("samples", sa.BigInteger(), nullable=False),
        sa.Column("pixels", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name=op.f("fk_tally_dataset_id")),
        sa.PrimaryKeyConstraint("dataset_id", "kind", "name", name=op.f("pk_tally")),
    )
    op.execute(SHOWN)
    for counted in COUNTED:
        op.execute(f"INSERT INTO tally (dataset_id, kind, name, samples, pixels) {counted}")
    op.create_index(
        "ix_sample_class_worst", "sample_class", ["dataset_id", "class_id", sa.text("worst DESC"), "sample_id"]
    )
    op.drop_index("ix_class_pixels_class_id", table_name="class_pixels")


def downgrade() -> None:
    op.create_index("ix_class_pixels_class_id", "class_pixels", ["class_id", "raster_id"])
    op.drop_table("tally")
    op.drop_table("sample_class")
