"""What the schemas of Kubernetes miss, of the manifests that scripts/check-k8s has rendered.

check-k8s.py K8S_DIR RENDERED_DIR ROUNDS

Whether each cadence is that of the table is for the tests of the program, which compare instants (tests/deploy.rs).
"""

import json
import os
import re
import subprocess
import sys
import zoneinfo

import yaml

SOURCES, RENDERED, ROUNDS = sys.argv[1:]
NAME, COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/component"
# The length that Kubernetes adds to a CronJob's name for the Job, and its limit for a Job's name.
CRONJOB_NAME_MAX = 52
# A job finishes its row within 10 s after its deadline, and its pod has to start.
MARGIN_SECONDS = 30
PUBLIC_EXCEPT = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"}

problems = []


def expect(holds, where, what):
    if not holds:
        problems.append(f"{where}: {what}")


def equal(where, field, found, wanted):
    expect(found == wanted, where, f"{field} is {found!r}, not {wanted!r}")


def load(path):
    with open(path, encoding="utf-8") as file:
        return [document for document in yaml.safe_load_all(file) if document]


def seconds(value):
    """A number of seconds, or text such as 1h 30m."""
    if isinstance(value, (int, float)):
        return value
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)\s*([hms])", value))


def table():
    """Name and deadline in seconds of what a Kubernetes CronJob is for, as the program has it."""
    said = subprocess.run([ROUNDS, "schedule", "--output", "json"], capture_output=True, text=True, check=False)
    if said.returncode != 0:
        sys.exit(f"check-k8s.py: `rounds schedule` does not say the table: {said.stderr.strip()}")
    rows = json.loads(said.stdout)
    if isinstance(rows, dict):
        rows = next(value for value in rows.values() if isinstance(value, list))
    # A backup is started by another scheduler than the one it stands in for.
    rows = [row for row in rows if not row["name"].endswith("-backup")]
    return {row["name"]: seconds(row.get("deadline_seconds", row.get("deadline"))) for row in rows}


# Cron

FIELDS = [("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 6)]


def cron_field(text, low, high):
    """The values of one field: numbers, ranges, steps and lists. Names and other extensions are not for reading by hand."""
    values = set()
    for part in text.split(","):
        match = re.fullmatch(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?", part)
        if not match:
            raise ValueError(f"{part!r} is no number, range or step")
        first, last, step = match.groups()
        if step is not None and (int(step) == 0 or (first is not None and last is None)):
            raise ValueError(f"{part!r} has a step of nothing")
        begin = low if first is None else int(first)
        end = high if first is None else int(last or first)
        if not low <= begin <= end <= high:
            raise ValueError(f"{part!r} is not within {low}-{high}")
        values.update(range(begin, end + 1, int(step or 1)))
    return sorted(values)


def shortest_interval(where, schedule):
    """Checks the five fields; the shortest time between two slots of a day, in seconds."""
    fields = schedule.split()
    if len(fields) != 5:
        expect(False, where, f"schedule {schedule!r} has {len(fields)} fields, not 5 (the zone belongs in timeZone)")
        return None
    values = []
    for text, (name, low, high) in zip(fields, FIELDS):
        try:
            values.append(cron_field(text, low, high))
        except ValueError as error:
            expect(False, where, f"schedule {schedule!r}, {name}: {error}")
            return None
    expect("*" in (fields[2], fields[4]), where, "a day of the month and a day of the week: cron takes either, not both")
    times = sorted(hour * 60 + minute for hour in values[1] for minute in values[0])
    return 60 * min(later - earlier for earlier, later in zip(times, times[1:] + [times[0] + 24 * 60]))


# Pods

def check_policy(where, job):
    rules = (job.get("podFailurePolicy") or {}).get("rules")
    disruption = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    codes = {"containerName": "rounds", "operator": "In", "values": [2, 4, 5, 124]}
    equal(where, "podFailurePolicy", rules, [disruption, {"action": "FailJob", "onExitCodes": codes}])


def check_job(where, job, backoff_limit, documented):
    """What a Job and its pod have to have, whoever makes it."""
    equal(where, "backoffLimit", job.get("backoffLimit"), backoff_limit)
    expect(3600 <= job.get("ttlSecondsAfterFinished", 0) <= 7 * 86400, where, "ttlSecondsAfterFinished is not within 1h-7d")
    check_policy(where, job)
    pod = job["template"]["spec"]
    equal(where, "restartPolicy", pod.get("restartPolicy"), "Never")
    equal(where, "automountServiceAccountToken", pod.get("automountServiceAccountToken"), False)
    equal(where, "enableServiceLinks", pod.get("enableServiceLinks"), False)
    expect(15 <= pod.get("terminationGracePeriodSeconds", 30) <= 60, where, "terminationGracePeriodSeconds is not within 15-60")
    for forbidden in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "initContainers"):
        expect(not pod.get(forbidden), where, f"{forbidden} is set")
    user = pod.get("securityContext", {})
    for field in ("runAsUser", "runAsGroup", "fsGroup"):
        equal(where, field, user.get(field), 65532)
    equal(where, "runAsNonRoot", user.get("runAsNonRoot"), True)
    equal(where, "seccompProfile", user.get("seccompProfile"), {"type": "RuntimeDefault"})

    equal(where, "containers", [container["name"] for container in pod["containers"]], ["rounds"])
    container = pod["containers"][0]
    hardened = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    equal(where, "the container's securityContext", container.get("securityContext"), hardened)
    expect("command" not in container, where, "command is set: the image's entry point is the program")
    expect(container.get("imagePullPolicy") in ("Always", "IfNotPresent"), where, "imagePullPolicy is unknown")
    check_image(where, container["image"])
    check_resources(where, container.get("resources", {}))
    check_volumes(where, pod.get("volumes", []), container, documented)
    for variable in container.get("env", []):
        expect("value" in variable, where, f"{variable['name']}: secrets come as files, and the rest as plain values")
        check_variable(where, variable["name"], variable.get("value"))
    check_arguments(where, container.get("args", []))


def check_image(where, image):
    name, _, tag = image.rpartition(":")
    expect(name.split("@")[0].split("/")[-1] == "rounds", where, f"image {image} is not rounds")
    expect("@sha256:" in image or tag not in ("", "latest"), where, f"image {image} has no version")


def quantity(text):
    units = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "m": 0.001, "": 1}
    number, unit = re.fullmatch(r"([\d.]+)([A-Za-z]*)", str(text)).groups()
    return float(number) * units[unit]


def check_resources(where, resources):
    for kind in ("cpu", "memory"):
        values = [resources.get(part, {}).get(kind) for part in ("requests", "limits")]
        if None in values:
            expect(False, where, f"no request or no limit of {kind}")
        else:
            expect(quantity(values[0]) <= quantity(values[1]), where, f"more {kind} is requested than allowed")
    memory = resources.get("limits", {}).get("memory")
    measured = memory is None or 2**25 <= quantity(memory) <= 2**28
    expect(measured, where, f"a memory limit of {memory} is far from what was measured")


def check_volumes(where, volumes, container, documented):
    mounts = container.get("volumeMounts", [])
    equal(where, "mounted volumes", sorted(m["name"] for m in mounts), sorted(v["name"] for v in volumes))
    for volume in volumes:
        mount = next((mount for mount in mounts if mount["name"] == volume["name"]), {})
        if "secret" in volume:
            secret = volume["secret"]
            equal(where, f"readOnly of {volume['name']}", mount.get("readOnly"), True)
            equal(where, f"defaultMode of {volume['name']}", secret.get("defaultMode"), 0o440)
            name = secret["secretName"]
            # Those of the roles are made in a loop over files that are named as the jobs.
            said = "rounds-database-${url#urls/}" if name.startswith("rounds-database-") else name
            expect(said in documented, where, f"docs/operating.md does not say how Secret {name} is made")
        else:
            what = f"volume {volume['name']}"
            expect(volume.get("emptyDir", {}).get("sizeLimit"), where, f"{what} is neither a Secret nor a bounded emptyDir")
            expect("medium" not in volume.get("emptyDir", {}), where, f"{what} would be memory")
    # Places on disk that may be written are where the program looks for them, and within the pod's share of the node.
    disk = container.get("resources", {}).get("limits", {}).get("ephemeral-storage")
    sizes = [volume["emptyDir"].get("sizeLimit") for volume in volumes if "emptyDir" in volume]
    equal(where, "size of the emptyDir", sizes, [disk] if disk else [])
    equal(where, "/tmp is mounted", "/tmp" in [mount["mountPath"] for mount in mounts], bool(disk))
    # A file that is named must be where a Secret is mounted.
    for variable in container.get("env", []):
        if variable["name"].endswith("_FILE"):
            directory = os.path.dirname(variable.get("value", ""))
            expect(directory in [mount["mountPath"] for mount in mounts], where, f"{variable['name']} is in no volume")


with open("docs/cli.md", encoding="utf-8") as manual:
    VARIABLES = set(re.findall(r"`((?:ROUNDS_|DATABASE_|PGSSL)[A-Z_]+)`", manual.read()))


def check_variable(where, name, value):
    expect(name in VARIABLES or name.startswith("AWS_"), where, f"{name} is no variable of the program")
    expect(isinstance(value, str), where, f"{name} is not text: put it in quotes")


def check_arguments(where, arguments):
    """The program itself says whether it would understand them."""
    expect(all(isinstance(argument, str) for argument in arguments), where, "args are not all text")
    said = subprocess.run([ROUNDS, *map(str, arguments), "--help"], capture_output=True, text=True, check=False)
    expect(arguments and said.returncode == 0, where, f"rounds {arguments}: {said.stderr.strip().splitlines()[:1]}")


# Folders

def of_kind(documents, kind):
    return {document["metadata"]["name"]: document for document in documents if document["kind"] == kind}


def matches(selector, labels):
    """Whether a NetworkPolicy's podSelector selects a pod."""
    if set(selector) != {"matchLabels"}:
        sys.exit(f"check-k8s.py: cannot read the selector {selector}")
    return all(labels.get(key) == value for key, value in selector["matchLabels"].items())


def check_network(where, documents, pods):
    """Each pod: nothing comes in, and out go DNS, PostgreSQL, and HTTPS or mail where its label says so, to public addresses."""
    policies = of_kind(documents, "NetworkPolicy").values()
    for labels in pods:
        mine = [policy["spec"] for policy in policies if matches(policy["spec"]["podSelector"], labels)]
        kinds = {kind for policy in mine for kind in policy["policyTypes"]}
        equal(f"{where}, {labels[COMPONENT]}", "policyTypes", kinds, {"Ingress", "Egress"})
        ports = {port.get("port") for policy in mine for rule in policy.get("egress", []) for port in rule.get("ports", [{}])}
        outside = {None: set(), "https": {443}, "smtp": {465, 587}}[labels.get("rounds.example/egress")]
        wanted = {53, 5432} | outside
        equal(f"{where}, {labels[COMPONENT]}", "ports of egress", ports, wanted)
    for policy in policies:
        spec, name = policy["spec"], f"{where}, NetworkPolicy {policy['metadata']['name']}"
        equal(name, "ingress", spec.get("ingress", []), [])
        expect(any(matches(spec["podSelector"], labels) for labels in pods), name, "selects no pod")
        for rule in spec["egress"]:
            ports = {port["port"] for port in rule.get("ports", [])}
            blocks = [peer["ipBlock"] for peer in rule.get("to", []) if "ipBlock" in peer]
            if ports & {443, 465, 587}:
                expect(blocks and len(blocks) == len(rule["to"]), name, "it goes anywhere")
                open_blocks = [block for block in blocks if block["cidr"] == "0.0.0.0/0"]
                for block in open_blocks:
                    expect(PUBLIC_EXCEPT <= set(block.get("except", [])), name, "it goes to private addresses, too")
            if 5432 in ports and where.startswith("overlays"):
                expect(blocks, name, "PostgreSQL is anywhere: the overlay has not narrowed it")


def check_common(where, documents, jobs):
    """What every folder owes; jobs are pairs of a name and a Job's spec."""
    equal(where, "Secrets in files", list(of_kind(documents, "Secret")), [])
    accounts = of_kind(documents, "ServiceAccount")
    for account in accounts.values():
        equal(where, "the ServiceAccount's token", account.get("automountServiceAccountToken"), False)
    bound = [s for b in documents if b["kind"].endswith("RoleBinding") for s in b["subjects"] if s["kind"] == "ServiceAccount"]
    equal(where, "ServiceAccounts that may something", bound, [])
    for role in of_kind(documents, "Role").values():
        for rule in role["rules"]:
            for word in ("*", "secrets", "pods/exec", "roles", "rolebindings"):
                granted = rule["apiGroups"] + rule["resources"] + rule["verbs"]
                expect(word not in granted, f"{where}, Role {role['metadata']['name']}", f"grants {word!r}")
    beyond = [document["kind"] for document in documents if document["kind"].startswith("Cluster")]
    equal(where, "what reaches past the namespace", beyond, [])
    maps = of_kind(documents, "ConfigMap")
    for config in maps.values():
        for name, value in config["data"].items():
            check_variable(where, name, value)
    used = set()
    for name, job in jobs:
        pod = job["template"]["spec"]
        expect(pod.get("serviceAccountName") in accounts, f"{where}, {name}", "its ServiceAccount is not there")
        # A key of somebody's API, and room for a download, are of no use without a way out.
        if {volume["name"] for volume in pod.get("volumes", [])} - {"database"}:
            way_out = job["template"]["metadata"]["labels"].get("rounds.example/egress")
            wanted = "smtp" if "email" in pod["containers"][0].get("args", []) else "https"
            equal(f"{where}, {name}", "the pod's label rounds.example/egress", way_out, wanted)
        for source in pod["containers"][0].get("envFrom", []):
            used.add(source.get("configMapRef", {}).get("name"))
    equal(where, "ConfigMaps", set(maps), used)
    check_network(where, documents, [job["template"]["metadata"]["labels"] for _, job in jobs])
    namespaces = {document["metadata"].get("namespace") for document in documents if document["kind"] != "Namespace"}
    equal(where, "number of namespaces", len(namespaces), 1)
    expect(where.startswith("overlays") != (None in namespaces), where, f"namespaces are {namespaces}")


def check_cronjob(where, cronjob, deadline, zone, documented):
    metadata, spec = cronjob["metadata"], cronjob["spec"]
    job, labels = spec["jobTemplate"]["spec"], metadata["labels"]
    expect(len(metadata["name"]) <= CRONJOB_NAME_MAX, where, "the name is too long for a CronJob")
    equal(where, "suspend", spec.get("suspend"), False)
    equal(where, "concurrencyPolicy", spec.get("concurrencyPolicy"), "Forbid")
    for field in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        expect(1 <= spec.get(field, 0) <= 10, where, f"{field} is not within 1-10")
    expect(spec.get("timeZone") in zoneinfo.available_timezones(), where, f"time zone {spec.get('timeZone')!r} is unknown")
    if labels.get("rounds.example/zone") == "schedule":
        equal(where, "timeZone", spec.get("timeZone"), zone)
    else:
        expect(spec.get("timeZone") in ("UTC", "America/Denver"), where, "a zone of its own, and no label rounds.example/zone")
    interval = shortest_interval(where, spec["schedule"])
    late = spec.get("startingDeadlineSeconds", 0)
    # The controller looks every 10 s; with less it may never start one.
    fits = interval is None or min(60, interval - 10) <= late < interval
    expect(fits, where, f"startingDeadlineSeconds {late} is not from 60 to below the interval, {interval}")
    active = job.get("activeDeadlineSeconds", 0)
    past = active >= deadline + MARGIN_SECONDS
    expect(past, where, f"activeDeadlineSeconds {active} is not past the job's own deadline, {deadline}")
    for key in (NAME, COMPONENT):
        equal(where, f"the pod's label {key}", job["template"]["metadata"]["labels"].get(key), labels.get(key))
    # To ask the health again at once brings the same answer.
    check_job(where, job, 0 if labels[COMPONENT] == "health" else 1, documented)


def check_jobs(where, documents, rows, documented):
    cronjobs = of_kind(documents, "CronJob")
    equal(where, "Jobs that applying it would run", list(of_kind(documents, "Job")), [])
    settings = of_kind(documents, "ConfigMap")["rounds"]["data"]
    wanted = {"ROUNDS_SOURCE": "cron", "ROUNDS_OUTPUT": "json", "ROUNDS_LOG_FORMAT": "json", "ROUNDS_PARTIAL_OK": "true"}
    equal(where, "settings", {name: settings.get(name) for name in wanted}, wanted)
    names = {cronjob["metadata"]["labels"].get(COMPONENT) for cronjob in cronjobs.values()}
    equal(where, "names that the table has and this has not", sorted(set(rows) - names), [])
    equal(where, "names that this has and the table has not", sorted(names - set(rows)), [])
    for name, cronjob in cronjobs.items():
        row = cronjob["metadata"]["labels"].get(COMPONENT)
        expect(name == f"rounds-{row}" or name.startswith(f"rounds-{row}-"), name, f"is not named after {row}")
        expect(f"rounds-{row}" in cronjobs, name, f"rounds-{row} is missing")
        config = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0].get("envFrom")
        equal(f"{where}, {name}", "envFrom", config, [{"configMapRef": {"name": "rounds"}}])
        check_cronjob(f"{where}, {name}", cronjob, rows.get(row, 0), settings.get("ROUNDS_SCHEDULE_ZONE"), documented)
    check_common(where, documents, [(name, cronjob["spec"]["jobTemplate"]["spec"]) for name, cronjob in cronjobs.items()])


def check_migrate(where, documents, documented):
    jobs = of_kind(documents, "Job")
    equal(where, "Jobs", list(jobs), ["rounds-migrate"])
    for name, job in jobs.items():
        spec = job["spec"]
        check_job(f"{where}, {name}", spec, 1, documented)
        expect(spec.get("activeDeadlineSeconds", 0) >= 3600, where, "a migration may take an hour")
        equal(where, "args", spec["template"]["spec"]["containers"][0]["args"], ["migrate"])
    check_common(where, documents, [(name, job["spec"]) for name, job in jobs.items()])


def check_files(rendered):
    """Each CronJob's own file says what a reader, and the test of the program, looks for there; no patch changes it."""
    cronjobs, folder = of_kind(rendered, "CronJob"), os.path.join(SOURCES, "base", "cronjobs")
    equal(folder, "files", sorted(os.listdir(folder)), sorted(name.removeprefix("rounds-") + ".yaml" for name in cronjobs))
    for file in sorted(os.listdir(folder)):
        path = os.path.join(folder, file)
        mine = load(path)[0]
        shown = cronjobs.get(mine["metadata"]["name"])
        if shown is None:
            continue
        equal(path, "what it says", plain(mine["spec"]), plain(shown["spec"]))
        # One that is overwritten by common.yaml would mislead whoever reads it.
        for field in differences(mine["spec"], shown["spec"]):
            expect(False, path, f"{field} is not what comes out")


def plain(spec):
    """What a CronJob's own file has to say itself."""
    job = spec["jobTemplate"]["spec"]
    fields = ("suspend", "schedule", "timeZone", "startingDeadlineSeconds")
    return {field: spec.get(field) for field in fields} | {
        "activeDeadlineSeconds": job.get("activeDeadlineSeconds"),
        "args": job["template"]["spec"]["containers"][0].get("args"),
    }


def differences(mine, shown, path="spec"):
    if isinstance(mine, dict) and isinstance(shown, dict):
        return [found for key, value in mine.items() for found in differences(value, shown.get(key), f"{path}.{key}")]
    if isinstance(mine, list) and mine and isinstance(mine[0], dict) and isinstance(shown, list):
        key = next(key for key in ("mountPath", "name") if key in mine[0])
        named = {item[key]: item for item in shown}
        return [found for item in mine for found in differences(item, named.get(item[key]), f"{path}.{item[key]}")]
    return [] if mine == shown else [path]


def check_checkov():
    with open(os.path.join(RENDERED, "checkov.json"), encoding="utf-8") as file:
        found = json.load(file)
    equal("checkov", "parsing errors", found["summary"]["parsing_errors"], 0)
    # Had it looked at nothing, it would have found nothing.
    expect(found["summary"]["passed"] > 500, "checkov", f"only {found['summary']['passed']} checks were made")
    for check in found["results"]["failed_checks"]:
        expect(False, f"checkov, {check['resource']}", f"{check['check_id']} {check['check_name']}")


def main():
    rendered = {name: load(os.path.join(RENDERED, name.replace("/", "-") + ".yaml")) for name in (
        "base", "migrate", "overlays/example", "overlays/example/migrate",
    )}
    documented = set()
    for page in os.listdir("docs"):
        if page.startswith("operating"):
            with open(os.path.join("docs", page), encoding="utf-8") as file:
                documented.update(re.findall(r"create secret generic \"?([^\s\"]+)", file.read()))
    rows = table()
    for where in ("base", "overlays/example"):
        check_jobs(where, rendered[where], rows, documented)
    for where in ("migrate", "overlays/example/migrate"):
        check_migrate(where, rendered[where], documented)
    check_files(rendered["base"])
    check_checkov()
    for problem in dict.fromkeys(problems):
        print(f"check-k8s.py: {problem}", file=sys.stderr)
    if problems:
        sys.exit(1)
    cronjobs = len(of_kind(rendered["base"], "CronJob"))
    print(f"k8s/: {len(rows)} names of the table in {cronjobs} CronJobs, and migrate; all as they should be")


main()
