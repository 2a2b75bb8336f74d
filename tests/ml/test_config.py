import json
from pathlib import Path

import pytest

from ml.config import PRESETS, Config, load, make, parse_set
from ml.errors import Refused


def test_layers_and_presets() -> None:
    assert make() == Config()
    assert make({"width": 16}, {"width": 8}).width == 8
    no_background = make({"preset": "no_background"})
    assert no_background.ignore_background
    assert no_background.monitor == "miou_on_foreground"
    assert make({"dice": 1}).dice == 1.0
    assert set(PRESETS) == {"baseline", "no_background"}


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"widht": 8}, "no key 'widht'; did you mean 'width'?"),
        ({"preset": "no_backgroud"}, "did you mean 'no_background'?"),
        ({"model": "unte"}, "model can't be 'unte'; did you mean 'unet'?"),
        ({"augment": "hfilp"}, "augment can't be 'hfilp'; did you mean 'hflip'?"),
        ({"augment": 3}, "augment has to be a list of names, not 3"),
        ({"batch": 0}, "batch has to be from 1 to 65536, not 0"),
        ({"batch": 2.5}, "batch has to be a whole number, not 2.5"),
        ({"batch": True}, "batch has to be a whole number, not True"),
        ({"residual": "yes"}, "residual has to be true or false, not 'yes'"),
        ({"learning_rate": float("nan")}, "learning_rate has to be from"),
        ({"cross_entropy": 0}, "give cross_entropy, dice or focal a weight above 0"),
        ({"overlap": 64, "crop": 64}, "overlap (64) has to be smaller than crop (64)"),
    ],
)
def test_a_bad_key_gets_one_sentence(keys: dict[str, object], sentence: str) -> None:
    with pytest.raises(Refused) as refused:
        make(keys)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_config_comes_back_from_its_json() -> None:
    config = make({"augment": "hflip, blur", "oversample_classes": ["rock"], "strength": 2})
    assert config.augment == ("hflip", "blur")
    assert make(json.loads(json.dumps(config.as_json()))) == config


def test_files_and_command_line(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('width = 8\naugment = ["hflip"]\n')
    (tmp_path / "a.json").write_text('{"width": 8, "augment": ["hflip"]}')
    assert make(load(tmp_path / "a.toml")) == make(load(tmp_path / "a.json"))
    assert make(parse_set("width=8"), parse_set("augment=hflip"), parse_set("residual=true")).residual
    assert make(parse_set("augment=")).augment == ()
    (tmp_path / "b.json").write_text("[1")
    for bad in ("b.json", "missing.toml"):
        with pytest.raises(Refused, match="can't be read"):
            load(tmp_path / bad)
    (tmp_path / "c.json").write_text("[1]")
    with pytest.raises(Refused, match="keys and values"):
        load(tmp_path / "c.json")
    with pytest.raises(Refused, match="key=value"):
        parse_set("width")
