#!/usr/bin/env bash
# Brings up the compose file and compares what lands on disk with what the simulator holds: `deploy/test.sh`.
#
# Uses images made here (deploy/local-images.sh), so it needs no registry; PROFILE=dev spares the release build. Says `skipped`
# and succeeds where no container engine answers. Free ports, its own project and folder: it can run beside anything.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# From the start of the containers to the last event on disk; seconds are normal.
readonly LIMIT=180

main() {
    find_compose
    scratch=$(mktemp -d)
    trap clean_up EXIT
    mkdir "$scratch/out"
    export NATS_IMAGE=latchkey/nats:local LATCHKEY_TAG=local LATCHKEY_OUT=$scratch/out
    LATCHKEY_UID=$(id -u) LATCHKEY_GID=$(id -g)
    export LATCHKEY_UID LATCHKEY_GID
    export SIMULATOR_PORT=0 FETCHER_PORT=0 NORMALIZER_PORT=0 FORWARDER_PORT=0 ALERTER_PORT=0

    ./local-images.sh nats fetcher normalizer forwarder alerter simulator
    compose up --detach --no-build >"$scratch/up.log" 2>&1 || fail 'the containers do not start' "$scratch/up.log"
    compare_until_equal
    all_ready
    stop_softly
    echo 'passed'
}

# Docker's plugin or the older program, if an engine answers within ten seconds.
find_compose() {
    timeout 10 docker version >/dev/null 2>&1 || skip 'no container engine answers'
    if docker compose version >/dev/null 2>&1; then
        compose_command=(docker compose)
    elif command -v docker-compose >/dev/null; then
        compose_command=(docker-compose)
    else
        skip 'docker compose is not installed'
    fi
    compose_command+=(--file compose.yml --project-name "latchkey-test-$$")
}

compose() {
    "${compose_command[@]}" "$@"
}

compare_until_equal() {
    local url deadline=$((SECONDS + LIMIT))
    url=http://$(compose port simulator 8790)
    until compare "$url" >"$scratch/comparison" 2>&1; do
        ((SECONDS < deadline)) || fail "not delivered within $LIMIT s" "$scratch/comparison"
        sleep 1
    done
    cat "$scratch/comparison"
}

# The simulator's events and the files' records, by UUID, each exactly once.
compare() {
    python3 - "$scratch/out" "$1" <<'END'
import collections, json, pathlib, sys, urllib.request

out, url = pathlib.Path(sys.argv[1]), sys.argv[2]
feeds = {
    "sign_in_attempts": "OnePassword.SignInAttempt",
    "item_usages": "OnePassword.ItemUsage",
    "audit_events": "OnePassword.AuditEvent",
}
delivered = collections.defaultdict(collections.Counter)
enriched = 0
for path in out.rglob("*.ndjson"):
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        delivered[record["p_log_type"]][record["uuid"]] += 1
        enriched += "p_enrichment" in record
for feed, log_type in feeds.items():
    address = f"{url}/_simulator/dataset?account=account-1&feed={feed}"
    with urllib.request.urlopen(address, timeout=20) as answer:
        expected = collections.Counter(json.loads(line)["uuid"] for line in answer)
    if not expected or delivered[log_type] != expected:
        missing, surplus = expected - delivered[log_type], delivered[log_type] - expected
        sys.exit(f"{log_type}: {expected.total()} expected, {missing.total()} missing, {surplus.total()} too many")
    print(f"{log_type}: {expected.total()} events, each once")
if not enriched:
    sys.exit("no record is enriched")
print(f"{enriched} of them enriched")
END
}

all_ready() {
    local service
    for service in fetcher normalizer forwarder alerter; do
        python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=20)' \
            "http://$(compose port "$service" 9090)/readyz" >"$scratch/ready" 2>&1 ||
            fail "$service is not ready" "$scratch/ready"
    done
    echo 'all services are ready'
}

# Each service ends by itself when asked to, with code 0.
stop_softly() {
    compose stop >"$scratch/stop.log" 2>&1
    local service code
    for service in fetcher normalizer forwarder alerter simulator; do
        code=$(docker inspect --format '{{.State.ExitCode}}' "$(compose ps --all --quiet "$service")")
        [[ $code == 0 ]] || fail "$service ended with code $code" "$scratch/stop.log"
    done
    echo 'all services ended with code 0'
}

clean_up() {
    compose down --volumes --timeout 10 >"$scratch/down.log" 2>&1 || cat "$scratch/down.log" >&2
    rm -rf "$scratch"
}

skip() {
    echo "skipped: $1"
    exit 0
}

# A reason, the file that tells more, and the services' last words.
fail() {
    echo "failed: $1" >&2
    cat "$2" >&2
    compose logs --no-color --tail 20 >&2 || true
    exit 1
}

main "$@"
