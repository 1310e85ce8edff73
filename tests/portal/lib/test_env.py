"""Settings from the environment: one clear line for whatever is wrong with them."""

from pathlib import Path

import pytest

from portal.lib import env
from portal.lib.env import SettingError


@pytest.mark.parametrize(
    ("text", "number"), [("", 7), ("0", 0), ("12", 12), (" 12 ", 12), ("100", 100)]
)
def test_whole_number__within_bounds(
    monkeypatch: pytest.MonkeyPatch, text: str, number: int
) -> None:
    monkeypatch.setenv("SIZE", text)
    assert env.whole_number("SIZE", 7, least=0, most=100) == number


@pytest.mark.parametrize("text", ["1.5", "1e2", "ten", "0x10", "-1", "101", "1 2"])
def test_whole_number__anything_else__names_the_setting(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("SIZE", text)
    with pytest.raises(SettingError, match=r"^SIZE must "):
        env.whole_number("SIZE", 7, least=0, most=100)


@pytest.mark.parametrize(
    ("text", "on"),
    [("", False), ("0", False), ("no", False), ("1", True), ("True", True), ("on ", True)],
)
def test_switch__each_way_to_say_it(monkeypatch: pytest.MonkeyPatch, text: str, on: bool) -> None:
    monkeypatch.setenv("SWITCH", text)
    assert env.switch("SWITCH") is on


@pytest.mark.parametrize(
    "address", ["http://u:hunter2@redis", "redis:hunter2@", "unix://hunter2", "hunter2"]
)
def test_redis_url__no_address_of_one__is_refused_without_being_repeated(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("REDIS_URL", address)
    with pytest.raises(SettingError, match=r"^REDIS_URL must look like") as refused:
        env.redis_url()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    ["mysql://u:hunter2@db/aviary", "postgresq://u:hunter2@db/aviary", "hunter2", "sqlite://x"],
)
def test_database__no_address_of_one__is_refused_without_being_repeated(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", address)
    with pytest.raises(SettingError, match=r"^DATABASE_URL must look like") as refused:
        env.database("sqlite:////var/aviary.sqlite3")
    assert "hunter2" not in str(refused.value)


def test_database__unset__is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert env.database("sqlite:////var/aviary.sqlite3")["NAME"] == "/var/aviary.sqlite3"


def test_load_file__what_the_environment_says__wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "aviary.env").write_text("# made by hand\nSHAPE=round\nCOLOUR=blue=ish\n")
    monkeypatch.setenv("AVIARY_VAR", str(tmp_path))
    monkeypatch.setenv("SHAPE", "square")
    # Set and taken away again, so that what the file sets is undone after the test.
    monkeypatch.setenv("COLOUR", "")
    monkeypatch.delenv("COLOUR")
    env.load_file()
    assert (env.required("SHAPE"), env.required("COLOUR")) == ("square", "blue=ish")


@pytest.mark.parametrize("text", ["", "x" * 31])
def test_secret_bytes__too_short__is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SECRET", text)
    with pytest.raises(SettingError, match=r"^SECRET "):
        env.secret_bytes("SECRET")
