"""Results of a suite of experiments as Markdown tables, ready to stand in a document."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

Row = Mapping[str, Any]
FAMILIES = {
    "presets": "The two presets",
    "contamination": "Contaminated samples",
    "relabelling": "Masks corrected by hand",
    "classes": "Rare classes",
    "losses": "Losses, instead of cross-entropy",
    "leakage": "Augmented copies",
    "pseudo": "Pseudo-labels",
    "networks": "Networks",
    "augmentation": "Augmentation (baseline: affine, hflip, vflip)",
}


def markdown(results: Mapping[str, Any]) -> str:
    """All tables of ``results`` (what ``results.json`` holds); figures in percent, differences in points."""
    rows: Sequence[Row] = results["experiments"]
    parts = [_head(results), _main(rows)]
    if results["data"]["background"]:
        parts.append(_background(rows))
    parts += [_leakage(rows), _pseudo(rows), _classes(rows), _missing(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(results: Mapping[str, Any]) -> str:
    data, config, asked = results["data"], results["config"], results["asked"]
    counts = ", ".join(
        f"{count} {split} ({data['groups'][split]} content groups)" for split, count in data["samples"].items()
    )
    machine = results["machine"]
    lines = [
        f"Data set {asked['dataset']}: {counts}; snapshot `{data['snapshot'][:12]}`.",
        f"Each run: {config.get('epochs')} epochs, batch {config.get('batch')}, "
        f"learning rate {config.get('learning_rate')}, width {config.get('width')}, crop {config.get('crop')}, "
        f"{config.get('precision')}, on {machine['device']} ({machine['processor']}, {machine['cores']} cores). "
        f"{_count(results['experiments'])} in {_minutes(results['seconds'])}.",
    ]
    reaches = [row["test"]["smallest"] for row in results["experiments"] if row["test"].get("smallest")]
    if reaches:
        lines.append(
            f"A true difference has to be about {_points(median(reaches))} points to be told from none four times in "
            "five; what lies below that can't be seen here."
        )
    luck = results["luck"]
    if luck is None:
        lines.append("Nothing was trained with two seeds, so nobody knows what luck does here: no difference is bold.")
    else:
        degrees = "1 degree" if luck["freedom"] == 1 else f"{luck['freedom']} degrees"
        lines.append(
            f"The seed alone moves the test mean IoU by {_points(luck['deviation'])} points (standard deviation, "
            f"{degrees} of freedom); the intervals of what was trained once are widened by that."
        )
    base = next((row for row in results["experiments"] if row["name"] == "baseline"), None)
    if base is not None and len(base["seeds"]) > 1:
        each = ", ".join(_percent(value) for value in base["test"]["by_seed"])
        lines.append(f"The baseline's test mean IoU by seed: {each}.")
    return "\n".join(f"- {line}" for line in lines)


def _main(rows: Sequence[Row]) -> str:
    table = []
    for family, title in FAMILIES.items():
        some = [row for row in rows if row["family"] == family]
        if some:
            table.append([f"**{title}**", *[""] * 7])
        table += [
            [
                row["title"],
                _percent(row["val"]["accuracy"]),
                _percent(row["val"].get("miou")),
                _percent(row["test"]["accuracy"]),
                _percent(row["test"].get("miou")),
                _against(row, row["test"]),
                f"{row['parameters']:,}" if row["parameters"] else "",
                f"{row['seconds']:.0f}" + (f" x {len(row['seeds'])}" if len(row["seeds"]) > 1 else ""),
            ]
            for row in some
        ]
    head = ["", "Val. accuracy", "Val. mean IoU", "Test accuracy", "Test mean IoU", "Difference on test (95 %)"]
    return _table([*head, "Parameters", "Seconds"], table)


def _background(rows: Sequence[Row]) -> str:
    """The report's trade: what leaving the background out of the loss gains and what it costs."""
    table = [
        [
            row["title"],
            _percent(row["test"]["accuracy"]),
            _percent(row["test"]["miou"]),
            _percent(row["test"]["miou_on_foreground"]),
            _against(row, row["test"].get("on_foreground", {})),
            _percent(row["test"]["foreground_precision"]),
            _percent(row["test"]["foreground_recall"]),
            _percent(row["test"]["background_accuracy"]),
        ]
        for row in rows
        if row["family"] in ("presets", "contamination", "relabelling", "classes")
    ]
    head = ["Test side", "Accuracy", "Mean IoU", "Mean IoU where foreground is given", "Difference in that (95 %)"]
    return _table([*head, "Foreground precision", "Foreground recall", "Background accuracy"], table)


def _leakage(rows: Sequence[Row]) -> str:
    named = {row["name"]: row for row in rows}
    if "leaking_copies" not in named:
        return ""
    table = []
    for row in (named[name] for name in ("baseline", "clean_copies", "leaking_copies") if name in named):
        val, test = row["val"].get("miou"), row["test"].get("miou")
        gap = "" if val is None or test is None else _signed(val - test)
        shown = _against(row, row["val"]) if row["name"] == "leaking_copies" else ""
        table.append([row["title"], _percent(val), _percent(test), gap, shown])
    head = ["The trap", "Val. mean IoU", "Test mean IoU", "Val. over test", "Leakage in validation (95 %)"]
    return _table(head, table)


def _pseudo(rows: Sequence[Row]) -> str:
    made = next((row["pseudo"] for row in rows if "pseudo" in row), None)
    if made is None:
        return ""
    right = "" if made["right"] is None else f"; {_percent(made['right'])} % of those are what the hidden masks say"
    return f"Pseudo-labels: the model is sure of {_percent(made['sure'])} % of the hidden pixels{right}."


def _classes(rows: Sequence[Row]) -> str:
    names = list(rows[0]["test"]["classes"]) if rows else []
    table = [
        [row["title"], *(_percent(row["test"]["classes"][name]["miou"]) for name in names)]
        for row in rows
        if "classes" in row["test"]
    ]
    return _table(["Test IoU by class", *names], table) if len(names) > 1 else ""


def _missing(results: Mapping[str, Any]) -> str:
    lines = [f"- Not tried: {name}, since {reason}." for name, reason in results["left"].items()]
    lines += [f"- Failed: {name}: {sentence}" for name, sentence in results["failed"].items()]
    return "\n".join(lines)


def _against(row: Row, figures: Mapping[str, Any]) -> str:
    if row["against"] == row["name"]:
        return ""
    if figures.get("difference") is None:
        return "not measurable"
    span = f"{_signed(figures['difference'])} ({_signed(figures['low'])} to {_signed(figures['high'])})"
    shown = f"**{span}**" if figures["clear"] else span
    return shown if row["against"] == "baseline" else f"{shown} against {row['against']}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _points(share: float) -> str:
    return f"{100 * share:.1f}"


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


def _count(rows: Sequence[Row]) -> str:
    runs = sum(len(row["seeds"]) for row in rows)
    return "1 run" if runs == 1 else f"{runs} runs"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"
