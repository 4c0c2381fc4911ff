#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# check.sh [ARGUMENTS of gimstate check…]: checks states once, and leaves the report in every form that a CI system reads, in the folder
# $REPORTS (gimstate-reports): report.ndjson, report.sarif, junit.xml, report.html and report.md, which GitHub also gets as the job's summary.
# $GIMSTATE is the command. Exits like check: 0 all fit, 1 one does not, 2 one could not be judged.
set -u
gimstate=${GIMSTATE:-gimstate} reports=${REPORTS:-gimstate-reports}
mkdir -p "$reports" || exit 2
"$gimstate" check "$@" --ndjson >"$reports/report.ndjson"
status=$?
[ -s "$reports/report.ndjson" ] || exit $status
"$gimstate" merge "$reports/report.ndjson" --sarif >"$reports/report.sarif"
"$gimstate" merge "$reports/report.ndjson" --junit >"$reports/junit.xml"
"$gimstate" merge "$reports/report.ndjson" --html >"$reports/report.html"
"$gimstate" merge "$reports/report.ndjson" --markdown >"$reports/report.md"
[ -z "${GITHUB_STEP_SUMMARY:-}" ] || cat "$reports/report.md" >>"$GITHUB_STEP_SUMMARY"
[ -z "${GITHUB_OUTPUT:-}" ] || printf 'reports=%s\nstatus=%s\n' "$reports" "$status" >>"$GITHUB_OUTPUT"
"$gimstate" merge "$reports/report.ndjson"
exit $status
