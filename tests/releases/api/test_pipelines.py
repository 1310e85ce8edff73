"""The snippets for GitHub Actions and GitLab CI: their shell parts, against the whole product."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support import pipelines
from tests.support.http_server import serving
from tests.support.settings_env import ROOT
from tests.support.stack import Stack

DOCS = ROOT / "docs" / "ci"
PLAN = (
    '{"steps": [{"share": 50, "soak_s": 1}, {"share": 100}], "watch_s": 0,'
    ' "proof_of_return": false}'
)
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_STUBS = {
    "docker": '#!/bin/sh\nif [ "$1" = login ]; then cat >/dev/null; fi\n'
    'if [ "$1" = inspect ]; then echo "$IMAGE@$STUB_DIGEST"; fi\n',
    "make": '#!/bin/sh\nexit "${STUB_TESTS:-0}"\n',
    "apk": "#!/bin/sh\n",
}


@dataclass(slots=True)
class Ran:
    status: int
    said: str


@dataclass(slots=True)
class Shop:
    """A project that a pipeline releases into, and the working copy it runs in."""

    stack: Stack
    project: str
    keys: tuple[str, ...]
    folder: Path
    probe: str
    is_healthy: list[bool]

    def variables(self, version: str, **more: str) -> dict[str, str]:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return {
            "PATH": path,
            "AVIARY_URL": self.stack.portal_url,
            "AVIARY_KEY": self.keys[0],
            "AVIARY_EVIDENCE_KEY": self.keys[1],
            "AVIARY_PROJECT": self.project,
            "AVIARY_ENVIRONMENT": "production",
            "AVIARY_SERVICE": "checkout",
            "AVIARY_VERSION": version,
            "AVIARY_DIGEST": digest_of(version),
            "AVIARY_PLAN": PLAN,
            "AVIARY_TIMEOUT_S": "90",
            "AVIARY_RETRIES": "2",
            **more,
        }

    def run(self, *words: str, version: str, **more: str) -> Ran:
        command = ["sh", "ci/release.sh", *words]
        return self.shell(command, self.variables(version, **more))

    def shell(self, command: list[str], variables: Mapping[str, str]) -> Ran:
        done = subprocess.run(
            command,
            check=False,
            cwd=self.folder,
            env=dict(variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=150,
        )
        return Ran(done.returncode, done.stdout)

    def releases(self, **query: str) -> list[dict[str, Any]]:
        url = f"{self.stack.portal_url}/api/v1/projects/{self.project}/releases"
        answer = httpx.get(url, params=query, headers={"Authorization": f"Bearer {self.keys[0]}"})
        found: list[dict[str, Any]] = answer.json()["releases"]
        return found


def digest_of(version: str) -> str:
    return "sha256:" + hashlib.sha256(version.encode()).hexdigest()


@pytest.fixture(scope="module")
def shop(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("pipeline")
    (folder / "ci").mkdir()
    shutil.copy(DOCS / "release.sh", folder / "ci" / "release.sh")
    (folder / "bin").mkdir()
    for name, script in _STUBS.items():
        (folder / "bin" / name).write_text(script)
        (folder / "bin" / name).chmod(0o755)
    healthy = [True]

    def probe(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200 if healthy[0] else 500)
        handler.end_headers()

    with serving(probe) as server:
        yield opened(Shop(stack, "pipelines", (), folder, server.url, healthy))


def opened(shop: Shop) -> Shop:
    """With the project in it, and a key of it."""
    named = {"project": shop.project, "service": "checkout", "probe": shop.probe}
    return replace(shop, keys=tuple(shop.stack.inside(pipelines.prepare, **named)))


@pytest.fixture(autouse=True)
def healthy(shop: Shop) -> None:
    shop.is_healthy[0] = True


def github(shop: Shop, version: str, **more: str) -> Ran:
    """Each step of each job in order, as a runner does it, until one fails."""
    flow = yaml.safe_load((DOCS / "github-actions.yml").read_text())
    known = {"secrets.AVIARY_KEY": shop.keys[0], "secrets.AVIARY_EVIDENCE_KEY": shop.keys[1]}
    known |= {"vars.AVIARY_URL": shop.stack.portal_url, "vars.REGISTRY": "registry"}
    known |= {"github.sha": version, "github.repository": "acme/checkout"}
    known |= {"secrets.GITHUB_TOKEN": "t", "github.event.head_commit.message": 'say "hi" $(id)'}
    said, output = "", shop.folder / "output"
    for job in flow["jobs"].values():
        for step in (one for one in job["steps"] if "run" in one):
            output.write_text("")
            given = {**flow["env"], **step.get("env", {})}
            env = {name: _evaluated(value, known) for name, value in given.items()}
            base = shop.variables(version, GITHUB_OUTPUT=str(output), GITHUB_ACTOR="alice")
            del base["AVIARY_DIGEST"]
            base |= {"GITHUB_ACTIONS": "true", "STUB_DIGEST": digest_of(version)}
            ran = shop.shell(
                ["bash", "-e", "-c", step["run"]],
                {**base, **env, "AVIARY_PROJECT": shop.project, **more},
            )
            said += ran.said
            if ran.status:
                return Ran(ran.status, said)
            for line in output.read_text().splitlines():
                name, _equals, value = line.partition("=")
                known[f"steps.{step['id']}.outputs.{name}"] = value
        for name, value in job.get("outputs", {}).items():
            known[f"needs.build.outputs.{name}"] = _evaluated(value, known)
    return Ran(0, said)


def _evaluated(value: str, known: Mapping[str, str]) -> str:
    return _EXPRESSION.sub(lambda found: known[found[1]], value)


def gitlab(shop: Shop, version: str, **more: str) -> Ran:
    """Each job's script in order, with what the first left in its dotenv report."""
    flow = yaml.safe_load((DOCS / "gitlab-ci.yml").read_text())
    given = {"CI_COMMIT_SHA": version, "CI_REGISTRY_IMAGE": "registry/checkout"}
    variables = {n: given.get(v.removeprefix("$"), v) for n, v in flow["variables"].items()}
    variables |= {"CI_REGISTRY": "r", "CI_REGISTRY_USER": "u", "CI_REGISTRY_PASSWORD": "p"}
    variables |= {"CI_COMMIT_TITLE": "new checkout", "STUB_DIGEST": digest_of(version)}
    said = ""
    for number, job in enumerate((flow["build"], flow["release"])):
        base = shop.variables(version, CI_JOB_ID=f"{version}-{number}")
        del base["AVIARY_DIGEST"]
        variables |= {**base, **{n: v for n, v in variables.items() if n not in base}}
        script = "\n".join(["set -eu", *job["before_script"], *job["script"]])
        ran = shop.shell(
            ["sh", "-c", script], {**variables, "AVIARY_PROJECT": shop.project, **more}
        )
        said += ran.said
        if ran.status:
            return Ran(ran.status, said)
        for line in (shop.folder / "release.env").read_text().splitlines():
            name, _equals, value = line.partition("=")
            variables[name] = value
    return Ran(0, said)


@pytest.mark.parametrize("snippet", [github, gitlab])
def test_a_pipeline__builds_posts_evidence_releases_and_says_so(shop: Shop, snippet: Any) -> None:
    version = f"good-{snippet.__name__}"
    ran = snippet(shop, version)
    assert ran.status == 0, ran.said
    assert "Posted: unit_tests passed." in ran.said
    assert "Succeeded." in ran.said
    assert "health (fewer than 1 failed probes" in ran.said
    (made,) = shop.releases(version=version)
    assert made["state"] == "succeeded"
    again = snippet(shop, version)  # another run of the same commit
    assert again.status == 0, again.said
    assert "brings this version already" in again.said
    assert len(shop.releases(version=version)) == 1


@pytest.mark.parametrize("snippet", [github, gitlab])
def test_a_bad_version__fails_the_pipeline_with_the_check_and_its_numbers(
    shop: Shop, snippet: Any
) -> None:
    shop.is_healthy[0] = False
    version = f"bad-{snippet.__name__}"
    ran = snippet(shop, version)
    assert ran.status == 1, ran.said
    assert "Rolled back by the check “health”: 1 of 1 probes failed" in ran.said
    assert "health (fewer than 1 failed probes in 5 min): failed." in ran.said
    assert ("::error::Release" in ran.said) is (snippet is github)
    assert f"/p/{shop.project}/releases/" in ran.said
    assert shop.releases(version=version)[0]["state"] == "rolled_back"


def test_failing_tests__are_evidence_too_and_release_nothing(shop: Shop) -> None:
    ran = github(shop, "untested", STUB_TESTS="1")
    assert ran.status == 1
    assert "Posted: unit_tests failed." in ran.said
    assert shop.releases(version="untested") == []


def test_what_is_under_way__is_joined_by_the_same_version_and_in_the_way_of_another(
    shop: Shop,
) -> None:
    slow = PLAN.replace('"soak_s": 1', '"soak_s": 8')
    started = shop.run("start", version="slow", AVIARY_PLAN=slow)
    assert started.status == 0, started.said
    number = started.said.split()[-1]
    other = shop.run("release", version="other")
    assert other.status == 6, other.said
    assert f"Release {number}, checkout slow, moves there now." in other.said
    late = shop.run("wait", number, version="slow", AVIARY_TIMEOUT_S="1")
    assert late.status == 4, late.said
    joined = shop.run("release", version="slow", AVIARY_PLAN=slow)
    assert joined.status == 0, joined.said
    assert f"Release {number} brings this version already." in joined.said


def test_what_is_wrong__is_said_and_is_no_release(shop: Shop) -> None:
    for more, status, says in (
        ({"AVIARY_KEY": ""}, 2, "Set AVIARY_KEY."),
        ({"AVIARY_KEY": "av_admin_nothing"}, 2, "refused this (401)"),
        ({"AVIARY_DIGEST": "sha256:12"}, 2, "artefact.digest"),
        ({"AVIARY_SERVICE": "nobody"}, 2, "service"),
        ({"AVIARY_PLAN": "{"}, 2, "AVIARY_PLAN is not JSON"),
        ({"AVIARY_URL": "http://127.0.0.1:1", "AVIARY_RETRIES": "0"}, 5, "cannot be reached"),
    ):
        ran = shop.run("release", version="wrong", **more)
        assert (ran.status, says in ran.said) == (status, True), ran.said
    assert shop.run("dance", version="wrong").status == 2
    assert shop.run("evidence", "pen_test", "passed", version="wrong").status == 2
    assert shop.releases(version="wrong") == []


def test_approval__is_waited_for_or_left_to_people_and_a_rejection_fails(shop: Shop) -> None:
    shop = opened(replace(shop, project="asking"))
    shop.stack.inside(pipelines.want_approval, project=shop.project)
    shop.run("evidence", "unit_tests", "passed", version="asked")
    asked = shop.run("release", version="asked", AVIARY_ON_APPROVAL="exit")
    assert asked.status == 3, asked.said
    assert f"{shop.stack.portal_url}/p/{shop.project}/" in asked.said
    approved = decided(shop, "asked", "approve")
    assert approved.status == 0, approved.said
    assert "brings this version already" in approved.said
    assert len(shop.releases(version="asked")) == 1
    shop.run("evidence", "unit_tests", "passed", version="rejected")
    rejected = decided(shop, "rejected", "reject")
    assert rejected.status == 1, rejected.said
    assert "was not approved" in rejected.said
    again = shop.run("start", version="rejected")  # asks anew
    assert again.status == 0, again.said
    assert len(shop.releases(version="rejected")) == 2


def decided(shop: Shop, version: str, verdict: str) -> Ran:
    """What a pipeline says that waits while people decide."""
    with subprocess.Popen(
        ["sh", "ci/release.sh", "release"],
        cwd=shop.folder,
        env=shop.variables(version),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as pipeline:
        assert pipeline.stdout is not None
        said = pipeline.stdout.readline()
        while "needs approval" not in said:
            said += pipeline.stdout.readline()
            assert pipeline.poll() is None, said
        state = shop.stack.inside(pipelines.decide, project=shop.project, verdict=verdict)
        assert state == {"approve": "applied", "reject": "rejected"}[verdict]
        rest, _nothing = pipeline.communicate(timeout=120)
    return Ran(pipeline.returncode, said + rest)
