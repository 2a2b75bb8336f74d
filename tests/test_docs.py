"""The documentation says what is true: every command and setting is in it, every link leads somewhere."""

import re
from pathlib import Path

import pytest

from app.__main__ import COMMANDS
from app.domain.checks.registry import CHECKS
from app.domain.formats.registry import FORMATS
from app.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
EVERYTHING = "\n".join(page.read_text() for page in PAGES)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    assert re.search(rf"remask {name}\b", EVERYTHING)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_readme(name: str) -> None:
    assert f"`REMASK_{name.upper()}`" in (ROOT / "README.md").read_text()


def test_every_setting_that_the_documentation_names_is_there() -> None:
    known = {f"REMASK_{name.upper()}" for name in Settings.model_fields}
    tests_only = {"REMASK_SHARED", "REMASK_REQUIRE_BROWSER"}
    named = set(re.findall(r"REMASK_[A-Z_]+", EVERYTHING))
    assert {name for name in named if not name.startswith("REMASK_CVAT_")} <= known | tests_only


@pytest.mark.parametrize("check", [check.name for check in CHECKS])
def test_every_check_is_documented(check: str) -> None:
    assert re.search(rf"^## .*\b{check}\b", (ROOT / "docs" / "checks.md").read_text(), re.M)


@pytest.mark.parametrize("format", [format.NAME for format in FORMATS])
def test_every_format_is_documented(format: str) -> None:
    assert f"`{format}`" in (ROOT / "docs" / "formats.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target
