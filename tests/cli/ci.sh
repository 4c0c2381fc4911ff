# SPDX-License-Identifier: GPL-3.0-or-later
# What docs/ci/ offers: the script, the Action's and the template's own lines, the recipes as they are written, and that the YAML is what it should be.
python=/usr/bin/python3
$python -c 'import yaml' 2>/dev/null || { echo "python3-yaml is not here"; exit 77; }
mkdir bin vms
ln -s "$GIMSTATE" bin/gimstate
export PATH="$PWD/bin:$PATH"
cp "$SAMPLES/hyperv-4.sav" "$SAMPLES/kvm.sav" vms
forms() { (cd "$1" && for form in *; do [ -s "$form" ] && echo "$form"; done); }
GITHUB_STEP_SUMMARY=summary GITHUB_OUTPUT=output "$TOP/docs/ci/check.sh" -r vms -t vbox:7.2 -t vbox:5.2 | tail -n 1
forms gimstate-reports
cmp summary gimstate-reports/report.md && cat output
REPORTS=other "$TOP/docs/ci/check.sh" -r vms -t vbox:7.2 >/dev/null
echo "[$?]"
REPORTS=wrong "$TOP/docs/ci/check.sh" --nonsense 2>&1
echo "[$?]"
cat >ci.py <<'END'
import re, sys, yaml
top = sys.argv[1]
action = yaml.safe_load(open(f"{top}/docs/ci/action.yml"))
assert action["name"] and action["description"] and action["runs"]["using"] == "composite"
steps = action["runs"]["steps"]
assert all(step["shell"] and step["run"] for step in steps)
ids = {step.get("id") for step in steps}
for name, output in action["outputs"].items():
    step, key = re.fullmatch(r"\$\{\{ steps\.(\w+)\.outputs\.(\w+) \}\}", output["value"]).groups()
    assert step in ids and output["description"], name
used = set(re.findall(r"inputs\.(\w+)", open(f"{top}/docs/ci/action.yml").read()))
assert used == set(action["inputs"]), (used, action["inputs"])
assert all(value["description"] and ("default" in value) != value.get("required", False) for value in action["inputs"].values())
# Inputs reach the script by its environment only: in its text they would be code.
assert not any("${{" in step["run"] for step in steps)
open("action-check", "w").write(steps[1]["run"])
gitlab = yaml.safe_load(open(f"{top}/docs/ci/gitlab.yml"))
job = gitlab["gimstate-check"]
assert job["stage"] and job["image"] and job["artifacts"]["reports"]["junit"].startswith(job["variables"]["REPORTS"])
assert all(isinstance(line, str) for line in job["before_script"] + job["script"])
open("gitlab-check", "w").write("\n".join(job["script"]))
hooks = yaml.safe_load(open(f"{top}/.pre-commit-hooks.yaml"))
for hook in hooks:
    assert set(hook) >= {"id", "name", "entry", "language", "files"} and re.compile(hook["files"]).search("a/b.sav"), hook
print(*(hook["id"] for hook in hooks))
readme = open(f"{top}/docs/ci/README.md").read()
for block in re.findall(r"```yaml\n(.*?)```", readme, re.S):
    yaml.safe_load(block)
shell = re.findall(r"```sh\n(.*?)```", readme, re.S)
open("parallel-recipe", "w").write(shell[0])
open("array-recipe", "w").write(shell[1])
open("array-end", "w").write(shell[2])
END
$python ci.py "$TOP" || exit
# The npm package @action-validator/cli has the published schema.
! command -v action-validator >/dev/null || action-validator "$TOP/docs/ci/action.yml"
echo "== the Action's step"
STATES=vms TARGETS=$'vbox:7.2\nvbox:5.2' ARGUMENTS="--ignore
GIM-VER-001" REPORTS=action GITHUB_ACTION_PATH=$TOP/docs/ci GITHUB_OUTPUT=action-output bash -e action-check | tail -n 1
cat action-output
echo "== the template's job"
ln -s "$TOP" gimstate-source
GIMSTATE_STATES=vms GIMSTATE_TARGETS="vbox:7.2 vbox:6.1" GIMSTATE_ARGUMENTS=--strict REPORTS=gitlab sh -c '. ./gitlab-check' | tail -n 1
forms gitlab
echo "== the hook's entry"
gimstate check vms/kvm.sav -t vbox:7.2
echo "== many hosts"
printf '#!/bin/sh\nhost=$1\nshift\n[ "$host" != down ] && cd "$host" && exec "$@"\n' >bin/remote
chmod +x bin/remote
# Without GNU parallel its lines are run one after the other.
command -v parallel >/dev/null && parallel --version 2>/dev/null | grep -q GNU ||
	printf '#!/bin/sh\nxargs -I{} sh -c "$3" <"$5"\n' >bin/parallel
[ ! -e bin/parallel ] || chmod +x bin/parallel
mkdir web1 web2
cp -r vms web1
cp -r vms web2
rm web2/vms/kvm.sav
printf '%s\n' web1 web2 down >hosts
REMOTE=$PWD/bin/remote STATES=vms bash ./parallel-recipe 2>/dev/null
ls reports
grep -o 'data-row="[0-9]*"><th scope="row">[^<]*' all.html | sed 's/.*>//'
gimstate merge --origin reports/*.ndjson 2>&1 | grep -v '^  '
echo "== a job array"
rm reports/*
mkdir tree
for i in 1 2 3 4 5 6 7 8 9; do cp vms/kvm.sav tree/$i.sav; done
sed "s|/srv/vms|tree|; s|/scratch/gimstate|cache|" array-recipe >array
for task in 1 2 3; do SLURM_ARRAY_TASK_ID=$task SLURM_ARRAY_TASK_COUNT=3 SLURM_CPUS_PER_TASK=1 sh ./array || echo "task $task: $?"; done
sh ./array-end
grep -o '9 states, 1 target: 9 fit' all.html
