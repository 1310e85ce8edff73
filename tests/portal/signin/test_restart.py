"""What a restart forgets: nothing of the limits (others lost theirs: CVE-2024-21652)."""

from collections.abc import Callable

import pytest

from portal.access.signin import throttle
from tests.portal.signin.conftest import Visitor
from tests.support.stack import Stack

pytestmark = pytest.mark.xdist_group("nest")


def test_limits__after_all_processes_ended__still_hold(
    nest: Stack, visit: Callable[..., Visitor]
) -> None:
    for _ in range(throttle.PAIR.failures):
        assert visit().sign_in("somebody", "wrong").status_code == 200
    assert visit().sign_in("somebody", "wrong").status_code == 429
    nest.stop()
    nest.start()
    answer = visit().sign_in("somebody", "wrong")
    assert answer.status_code == 429
    assert "Too many attempts have failed" in answer.text
    assert visit().sign_in("admin", nest.admin_password).status_code == 302
    assert nest.manage("unlock", "admin").stdout.strip() == "admin may try again"
