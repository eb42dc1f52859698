#!/bin/sh
# Asks the operator whether it is ready, and takes an exam on a service: the test of `helm test`. Needs sh, sed and the wget of
# busybox. In: OPERATOR (base URL of its ops port, may be empty), EXAM_URL (may be empty), EXAM_TYPE (empty: the first that is
# offered), TOKEN_FILE (may not exist), DEADLINE in seconds.
set -eu
start=$(date +%s)

say() { echo "$(($(date +%s) - start)) s: $*"; }
fail() { say "FAILED: $*" >&2; exit 1; }

# call METHOD PATH [BODY]  Prints the reply; says what was asked when there is none.
call() {
	[ $(($(date +%s) - start)) -le "$DEADLINE" ] || fail "not done after $DEADLINE s"
	set -- "$1" "$EXAM_URL/api/adaptive$2" "${3:-}"
	if [ "$1" = POST ]; then
		wget -q -O - --header "authorization: Bearer $token" --header 'content-type: application/json' --post-data "$3" "$2"
	else
		wget -q -O - --header "authorization: Bearer $token" "$2"
	fi || fail "$1 $2 $3"
}

# field NAME PATTERN TEXT  The first value of that name.
field() { printf '%s' "$3" | sed -n "s/.*\"$1\":\($2\).*/\1/p"; }

if [ -n "${OPERATOR:-}" ]; then
	wget -q -O /dev/null "$OPERATOR/readyz" || fail "$OPERATOR/readyz: no operator is ready"
	wget -q -O - "$OPERATOR/metrics" | grep -q '^adaptive_exam_operator_leader ' || fail "the operator tells no metrics"
	say "the operator is ready"
fi
[ -n "${EXAM_URL:-}" ] || { say "test.url is empty: no exam is taken"; exit 0; }

EXAM_URL=${EXAM_URL%/}
token=none
[ ! -s "${TOKEN_FILE:-/none}" ] || token=$(head -n 1 "$TOKEN_FILE")
if [ -z "${EXAM_TYPE:-}" ]; then
	types=$(call GET /exam-types)
	EXAM_TYPE=$(printf '%s' "$types" | sed 's/"name":"\([^"]*\)".*/\n\1/' | sed -n 2p)
	[ -n "$EXAM_TYPE" ] || fail "no exam type is offered: $types"
fi
reply=$(call POST /start "{\"exam_type\":\"$EXAM_TYPE\"}")
exam=$(field exam_session_id '[0-9]*' "$reply")
[ -n "$exam" ] || fail "no exam began: $reply"
say "exam $exam of type $EXAM_TYPE"

answers=0
while :; do
	item=$(field item '{"id":[0-9]*' "$reply")
	item=${item##*:}
	[ -n "$item" ] || fail "no item after $answers answers: $reply"
	answer="{\"exam_session_id\":$exam,\"item_id\":$item,\"choice\":1}"
	reply=$(call POST /answer "$answer")
	answers=$((answers + 1))
	case $reply in *'"completed":true'*) break ;; esac
done
say "it ended after $answers answers: $(field termination_reason '"[a-z_]*"' "$reply")"

# The last answer again, as after a lost reply: it counts once.
call POST /answer "$answer" >/dev/null
status=$(call GET "/status?exam_session_id=$exam")
[ "$(field items_completed '[0-9]*' "$status")" = "$answers" ] || fail "$answers answers were acknowledged, and the service says: $status"
case $status in *'"completed":true'*) ;; *) fail "the exam is not completed: $status" ;; esac
say "passed: each of $answers acknowledged answers counts once"
