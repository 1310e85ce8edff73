"""Who mail comes from: EMAIL_FROM."""

import pytest

from portal.lib import env
from portal.lib.env import SettingError


@pytest.mark.parametrize("text", ["nobody", "a@example.com\nBcc: b@example.com"])
def test_mail_address__malformed__is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("EMAIL_FROM", text)
    with pytest.raises(SettingError, match="EMAIL_FROM must look like"):
        env.mail_address("EMAIL_FROM", "aviary@localhost")
