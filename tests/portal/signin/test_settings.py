"""Settings of signing in: whatever is half or malformed stops the start with one clear line."""

import subprocess
import sys

import pytest

from portal.access.signin.sessions import browser_name
from tests.support import settings_env

ISSUER = {"OIDC_ISSUER": "https://login.example.com", "OIDC_CLIENT_ID": "a"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (ISSUER, "OIDC_CLIENT_SECRET is not set"),
        ({"OIDC_CLIENT_SECRET": "hush"}, "OIDC_ISSUER, OIDC_CLIENT_ID is not set"),
        (
            ISSUER | {"OIDC_CLIENT_SECRET": "hush", "OIDC_ISSUER": "http://login.example.com"},
            "OIDC_ISSUER must look like https://",
        ),
        (
            ISSUER | {"OIDC_CLIENT_SECRET": "hush", "OIDC_ISSUER": "https://a:b@example.com"},
            "OIDC_ISSUER must look like https://",
        ),
        (ISSUER | {"OIDC_CLIENT_SECRET": "hush", "OIDC_CREATE_USERS": "maybe"}, "must be 1 or 0"),
        ({"AVIARY_REQUIRE_TWO_FACTOR": "maybe"}, "AVIARY_REQUIRE_TWO_FACTOR must be 1 or 0"),
        ({"AVIARY_PROXIES": "-1"}, "AVIARY_PROXIES must lie between"),
        ({"EMAIL_URL": "post://office:hush"}, "EMAIL_URL must look like"),
    ],
    ids=str,
)
def test_settings__half_or_malformed__stop_the_start(given: dict[str, str], said: str) -> None:
    folder = settings_env.temporary_folder()
    done = subprocess.run(
        [sys.executable, "-c", "import portal.settings"],
        check=False,
        cwd=settings_env.ROOT,
        env=settings_env.for_tests(folder) | given,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert said in last
    assert "hush" not in done.stderr


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox, Linux",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0.0.0 Safari/537.36 Edg/140.0", "Edge, Windows"),
        ("Mozilla/5.0 (iPhone; like Mac OS X) Version/18.0 Safari/604.1", "Safari, iPhone"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "unknown"),
    ],
)
def test_browser_name__is_short(user_agent: str, name: str) -> None:
    assert browser_name(user_agent) == name
