"""Where mail goes, by EMAIL_URL and EMAIL_FROM."""

import pytest

from portal.lib import env
from portal.lib.env import SettingError


def test_mail__unset__goes_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMAIL_URL", raising=False)
    assert env.mail()["EMAIL_BACKEND"] == "django.core.mail.backends.dummy.EmailBackend"


def test_mail__by_its_address__with_encryption(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_URL", "smtp+tls://aviary:secret%2Fword@mail.example.com:587")
    found = env.mail()
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"]) == ("mail.example.com", 587)
    assert (found["EMAIL_HOST_PASSWORD"], found["EMAIL_USE_TLS"]) == ("secret/word", True)


@pytest.mark.parametrize(
    "url", ["mail.example.com", "http://secretword@x", "smtp://secretword@x:y"]
)
def test_mail__malformed__says_what_to_do_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("EMAIL_URL", url)
    with pytest.raises(SettingError, match="EMAIL_URL must look like") as error:
        env.mail()
    assert "secretword" not in str(error.value)


@pytest.mark.parametrize("text", ["nobody", "a@example.com\nBcc: b@example.com"])
def test_mail_address__malformed__is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("EMAIL_FROM", text)
    with pytest.raises(SettingError, match="EMAIL_FROM must look like"):
        env.mail_address("EMAIL_FROM", "aviary@localhost")
