"""Entry of ``remask`` and ``python -m app``."""

import sys
from collections.abc import Callable

import typer

from app.cli import (
    compare,
    console,
    cvat,
    cvat_back,
    data,
    experiments,
    loop,
    moving,
    operations,
    review,
    server,
    suggesting,
    training,
)
from app.domain.errors import RemaskError
from app.store.faults import trouble

app = typer.Typer(
    name="remask",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Find the masks that hurt a segmentation model, fix them fast, and measure whether fixing helped.",
)
COMMANDS: dict[str, Callable[..., None]] = {
    "serve": server.serve,
    "worker": server.worker,
    "demo": data.demo_,
    "import": data.import_,
    "check": review.check,
    "flags": review.flags_,
    "status": review.status,
    "review": review.review_,
    "undo": review.undo,
    "export": data.export_,
    "train": training.train_,
    "migrate": moving.migrate,
    "crossval": training.crossval_,
    "suggest": suggesting.suggest_,
    "accept": suggesting.accept_,
    "compare": compare.compare_,
    "doctor": operations.doctor_,
    "backup": operations.backup_,
    "restore": operations.restore_,
    "experiments": experiments.experiments_,
    "remaining": loop.remaining_,
    "simulate": loop.simulate_,
    "cvat push": cvat.push,
    "cvat pull": cvat_back.pull,
    "cvat read": cvat_back.read_,
    "cvat list": cvat.list_,
    "cvat test": cvat.test,
    "cvat answer": cvat.answer,
    "cvat close": cvat.close,
    "cvat annotate": cvat.annotate,
}
with_cvat = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Have masks fixed in CVAT.")
app.add_typer(with_cvat, name="cvat")
for name, command in COMMANDS.items():
    group, _, last = name.rpartition(" ")
    (with_cvat if group else app).command(last)(command)


def main() -> None:
    """Run the command; exits with 0 done, 1 an error of the user's or the machine's, 2 wrong usage."""
    try:
        app()
    except RemaskError as error:
        console.fail(str(error))
        sys.exit(1)
    except OSError as error:
        console.fail(f"{error.filename or 'A file'}: {error.strerror or error}.")
        sys.exit(1)
    except Exception as error:
        sentence = trouble(error)
        if sentence is None:
            raise
        console.fail(sentence)
        sys.exit(1)


if __name__ == "__main__":
    main()
