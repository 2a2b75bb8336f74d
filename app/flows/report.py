"""What came of an import."""

from dataclasses import dataclass, field
from typing import Any

from app.domain.errors import Invalid
from app.domain.formats.base import Refused


@dataclass
class Report:
    """Counts of an import; ``imported`` has the unlabelled among them. Every file that was not taken is in ``refused``
    with the reason."""

    dataset: str
    format: str
    import_id: int = 0
    imported: int = 0
    unlabeled: int = 0
    repeated: int = 0
    pending: int = 0
    overlapped: int = 0
    refused: list[Refused] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "format": self.format,
            "import": self.import_id or None,
            "imported": self.imported,
            "unlabeled": self.unlabeled,
            "repeated": self.repeated,
            "pending": self.pending,
            "overlapped": self.overlapped,
            "ignored": self.ignored,
            "refused": [{"file": one.file, "reason": one.reason} for one in self.refused],
            "seconds": self.seconds,
        }


class NothingToImport(Invalid):
    """The source holds no picture that could be read; ``facts`` is the report all the same."""

    def __init__(self, label: str, report: Report) -> None:
        refused = report.refused
        why = f" {refused[0].file}: {refused[0].reason.rstrip('.')}." if refused else ""
        more = f" {len(refused) - 1:,} more files were refused." if len(refused) > 1 else ""
        super().__init__(f"There is no picture in {label} that can be read.{why}{more}")
        self.facts = report.as_json()
