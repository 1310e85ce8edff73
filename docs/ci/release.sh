#!/bin/sh
# Releases with Aviary from a pipeline: post evidence, start a release, wait for it, say why it failed.
# Needs a POSIX shell, curl and python3. Safe to run again: see "again" below.
#
#   sh release.sh evidence KIND passed|failed [DETAIL]   what a step of the pipeline found of the digest
#   sh release.sh release                                start it (or join it) and wait for its end
#   sh release.sh start                                  start it (or join it), print its number
#   sh release.sh wait NUMBER                            wait for its end
#
# Settings, as environment variables:
#   AVIARY_URL          https://aviary.example.com
#   AVIARY_KEY          an admin key of the environment, with an owner, in the CI's secrets: to release
#   AVIARY_EVIDENCE_KEY another one, of nobody or of somebody else: to post evidence. What the owner's own
#                       key says of their release does not count where a policy wants evidence
#   AVIARY_PROJECT  AVIARY_ENVIRONMENT  AVIARY_SERVICE    their keys
#   AVIARY_VERSION  AVIARY_DIGEST       such as 1.4.2 and sha256:… in full
#   AVIARY_COMMIT  AVIARY_REASON        shown with the release; may be left out
#   AVIARY_STRATEGY     canary, unless you say otherwise
#   AVIARY_TEMPLATE  AVIARY_PLAN        a plan template's key; a plan as JSON. Without both the usual steps
#   AVIARY_ON_APPROVAL  wait (the usual) or exit, where people have to agree first
#   AVIARY_TIMEOUT_S    how long to wait at most, 7200; the release goes on without the pipeline
#   AVIARY_RETRIES      how often a request is sent again while Aviary is away, 5
#   AVIARY_RUN          names this attempt; in GitHub Actions and GitLab CI it is known
#
# Exit codes:
#   0  it succeeded, or this version had succeeded already
#   1  it ended otherwise: rolled back, aborted, superseded, failed or not approved
#   2  a setting is missing or wrong, or Aviary refused it; there is no release
#   3  it waits for approval, and AVIARY_ON_APPROVAL is exit
#   4  it has not ended in AVIARY_TIMEOUT_S
#   5  Aviary cannot be reached
#   6  another version moves there, or something else is in the way; there is no release
#
# Again: each request of one attempt has a name (Idempotency-Key), so that a retry does nothing twice.
# A later attempt for the same version and digest joins a release that is under way or planned, and
# ends well where that version is what succeeded last.
set -eu

AVIARY_URL=${AVIARY_URL:-}
AVIARY_URL=${AVIARY_URL%/}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
api=$AVIARY_URL/api/v1/projects/${AVIARY_PROJECT:-}

say() { printf '%s\n' "$*" >&2; }

# fail CODE MESSAGE: in GitHub Actions the message stands on the run's page too.
fail() {
  code=$1
  shift
  if [ -n "${GITHUB_ACTIONS:-}" ]; then printf '::error::%s\n' "$*"; fi
  say "$*"
  exit "$code"
}

need() {
  for name in "$@"; do
    eval "value=\${$name:-}"
    if [ -z "$value" ]; then fail 2 "Set $name."; fi
  done
}

# Python for JSON. "from_answer PATH" prints a value of the last answer, lines for lists.
from_answer() {
  python3 - "$work/answer" "$1" <<'PYTHON'
import json, sys

try:
    found = json.load(open(sys.argv[1], encoding="utf-8"))
    for step in sys.argv[2].split("."):
        found = found[int(step)] if isinstance(found, list) else found.get(step)
        if found is None:
            break
except (ValueError, AttributeError, IndexError):
    found = None
print("\n".join(map(str, found)) if isinstance(found, list) else "" if found is None else found)
PYTHON
}

# call METHOD PATH [BODY [NAME]]: $status, and the answer in a file. The key is on no command line.
# What may be away for a moment is asked again, after 1, 2, 4 … s; a NAME keeps that from doing it twice.
call() {
  {
    printf 'header = "Authorization: Bearer %s"\n' "$key"
    if [ -n "${4:-}" ]; then printf 'header = "Idempotency-Key: %s"\n' "$4"; fi
    if [ -n "${3:-}" ]; then
      printf 'header = "Content-Type: application/json"\ndata-binary = "@%s"\n' "$3"
    fi
  } >"$work/config"
  tries=0
  while :; do
    : >"$work/answer"
    status=$(curl -sS -K "$work/config" -X "$1" --connect-timeout 10 --max-time 120 \
      -o "$work/answer" -w '%{http_code}' "$api/$2" 2>"$work/trouble") || status=000
    case $status in
      000) trouble="Aviary cannot be reached: $(tail -n 1 "$work/trouble")" ;;
      429 | 5??) trouble="Aviary answered with status $status: $(from_answer detail)" ;;
      *) return ;;
    esac
    if [ "$tries" -ge "${AVIARY_RETRIES:-5}" ]; then fail 5 "$trouble"; fi
    sleep $((1 << tries))
    tries=$((tries + 1))
  done
}

refused() { fail 2 "Aviary refused this ($status): $(from_answer detail)"; }

# Two attempts of one pipeline are two: what the first was told may have passed.
attempt() {
  if [ -n "${AVIARY_RUN:-}" ]; then
    printf '%s' "$AVIARY_RUN"
  elif [ -n "${GITHUB_RUN_ID:-}" ]; then
    printf 'github-%s-%s' "$GITHUB_RUN_ID" "${GITHUB_RUN_ATTEMPT:-1}"
  elif [ -n "${CI_JOB_ID:-}" ]; then
    printf 'gitlab-%s' "$CI_JOB_ID"
  else
    date +run-%s-$$
  fi
}

evidence() {
  need AVIARY_DIGEST AVIARY_EVIDENCE_KEY
  key=$AVIARY_EVIDENCE_KEY
  python3 - "$1" "$2" "${3:-}" >"$work/body" <<'PYTHON'
import datetime, json, os, sys

until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=30)
body = {"digest": os.environ["AVIARY_DIGEST"], "kind": sys.argv[1], "result": sys.argv[2],
        "detail": sys.argv[3][:2000], "expires_at": until.isoformat()}
print(json.dumps(body))
PYTHON
  call POST evidence "$work/body" # twice is harmless: the latest counts
  if [ "$status" != 201 ]; then refused; fi
  say "Posted: $1 $2."
}

body_of_release() {
  python3 - <<'PYTHON'
import json, os, sys

given = {name: os.environ.get(f"AVIARY_{name.upper()}", "") for name in (
    "service", "environment", "version", "digest", "commit", "reason", "strategy", "template", "plan")}
artefact = {name: given[name] for name in ("version", "digest", "commit") if given[name]}
body = {"service": given["service"], "environment": given["environment"], "artefact": artefact,
        "strategy": given["strategy"] or "canary"}
body |= {name: given[name] for name in ("reason", "template") if given[name]}
if given["plan"]:
    try:
        body["plan"] = json.loads(given["plan"])
    except ValueError as error:
        sys.exit(f"AVIARY_PLAN is not JSON: {error}")
print(json.dumps(body))
PYTHON
}

quoted() { python3 -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.argv[1], safe=""))' "$1"; }

# joins: whether this version is under way, planned, or what succeeded last; sets $number.
joins() {
  of="service=$(quoted "$AVIARY_SERVICE")&limit=1"
  call GET "releases?$of&version=$(quoted "$AVIARY_VERSION")"
  if [ "$status" != 200 ]; then refused; fi
  number=$(from_answer releases.0.number)
  if [ -z "$number" ]; then return 1; fi
  case $(from_answer releases.0.state) in
    succeeded)
      call GET "releases?$of&state=succeeded"
      if [ "$(from_answer releases.0.number)" != "$number" ]; then return 1; fi
      ;;
    aborted | rolled_back | rolling_back | superseded | failed) return 1 ;;
  esac
  call GET "releases/$number"
  if [ "$(from_answer state)" = planned ] && [ -z "$(from_answer not_before)$(from_answer waits_for.0.id)" ]; then
    return 1 # nothing will start it: people did not approve it
  fi
  [ "$(from_answer artefact.digest)" = "$AVIARY_DIGEST" ]
}

start() {
  need AVIARY_SERVICE AVIARY_ENVIRONMENT AVIARY_VERSION AVIARY_DIGEST
  if joins; then
    say "Release $number brings this version already."
    return
  fi
  body_of_release >"$work/body" 2>"$work/trouble" || fail 2 "$(cat "$work/trouble")"
  call POST releases "$work/body" "release-$AVIARY_SERVICE-$AVIARY_ENVIRONMENT-$(attempt)"
  number=$(from_answer release)
  case $status in
    201) number=$(from_answer number) ;;
    409)
      if [ -z "$number" ]; then fail 6 "Not started: $(from_answer detail)"; fi
      ask_for_approval "$(from_answer change_request.address)"
      ;;
    *) refused ;;
  esac
  say "Release $number: $AVIARY_URL/p/$AVIARY_PROJECT/releases/$number/"
}

ask_for_approval() {
  say "Release $number waits for approval: $1"
  if [ "${AVIARY_ON_APPROVAL:-wait}" = exit ]; then
    fail 3 "Release $number waits for approval and starts once it has it: $1"
  fi
}

# What is new of it: one line whenever the state, the step or what holds it is another one.
report() {
  python3 - "$work/answer" <<'PYTHON'
import json, sys

one = json.load(open(sys.argv[1], encoding="utf-8"))
shares = ", ".join(f"{version} {share:g} %" for version, share in one["weights"].items())
print(f"{one['state']}, step {one['step'] + 1} of {one['steps']}" + (f" ({shares})" if shares else ""))
for hold in one["holds"]:
    print("  " + hold["words"])
for asked in one["waits_for"]:
    print("  needs approval: " + asked["address"])
PYTHON
}

# Why it ended so: the outcome, and each check with its numbers.
reasons() {
  python3 - "$work/answer" <<'PYTHON'
import json, sys

one = json.load(open(sys.argv[1], encoding="utf-8"))
print(f"Release {one['number']}: {one['outcome_words'] or one['state']}")
for check in one["checks"]:
    print(f"  {check['key']} ({check['limit']}): {check['verdict'] or 'not measured'}. {check['words']}")
print("  " + one["links"]["page"])
PYTHON
}

# A request that people rejected or took back: its release stays planned, and nothing will start it.
require_asked() {
  if [ -n "$(from_answer waits_for.0.id)" ]; then
    ask_once "$(from_answer waits_for.0.address)"
    asked=$(from_answer waits_for.0.id)
  elif [ -n "$asked" ]; then
    call GET "change-requests/$asked"
    case $(from_answer state) in
      rejected | withdrawn) fail 1 "Release $number was not approved: $(from_answer address)" ;;
    esac
  fi
}

ask_once() {
  if [ -z "$asked" ]; then ask_for_approval "$1"; fi
}

wait_for() {
  number=$1
  asked=""
  shown=""
  longest=5 # as long as people may reject it
  until=$(($(date +%s) + ${AVIARY_TIMEOUT_S:-7200}))
  while :; do
    left=$((until - $(date +%s)))
    if [ "$left" -gt "$longest" ]; then left=$longest; elif [ "$left" -lt 0 ]; then left=0; fi
    call GET "releases/$number/wait?until=finished&timeout_s=$left"
    if [ "$status" != 200 ]; then refused; fi
    now=$(report)
    if [ "$now" != "$shown" ]; then say "$now"; fi
    shown=$now
    case $(from_answer state) in
      succeeded)
        reasons >&2
        return
        ;;
      aborted | rolled_back | superseded | failed) fail 1 "$(reasons)" ;;
      planned) require_asked ;;
      *) longest=20 ;;
    esac
    if [ "$(date +%s)" -ge "$until" ]; then
      fail 4 "Release $number has not ended in ${AVIARY_TIMEOUT_S:-7200} s and goes on: $shown"
    fi
  done
}

need AVIARY_URL AVIARY_PROJECT
key=${AVIARY_KEY:-}
if [ "${1:-}" != evidence ]; then need AVIARY_KEY; fi
case ${1:-} in
  evidence)
    if [ $# -lt 3 ]; then fail 2 "Say: release.sh evidence KIND passed|failed [DETAIL]"; fi
    evidence "$2" "$3" "${4:-}"
    ;;
  start)
    start
    printf '%s\n' "$number"
    ;;
  wait)
    if [ $# -lt 2 ]; then fail 2 "Say: release.sh wait NUMBER"; fi
    wait_for "$2"
    ;;
  release)
    start
    wait_for "$number"
    ;;
  *) fail 2 "Say one of: evidence, release, start, wait." ;;
esac
