"""The parts of scripts/check-terraform that are no command line.

check-terraform.py parse TERRAFORM_DIR                     every file is HCL; local.schedules holds literals
check-terraform.py serve PORT_FILE                         moto, until it is ended; the port is written when it answers
check-terraform.py prepare TFVARS_FILE                     what a clinic has already: a VPC, a database
check-terraform.py read-back TERRAFORM_DIR OUTPUTS STATE   what AWS was told, against local.schedules
check-terraform.py nothing-left                            after terraform destroy

Whether each cadence is that of the table is for the tests of the program, which compare instants.
"""

import json
import os
import re
import sys
from pathlib import Path
from urllib.parse import unquote

ACCOUNT, REGION, ENVIRONMENT = "123456789012", "us-east-1", "prod"
problems = []


def expect(holds, where, what):
    if not holds:
        problems.append(f"{where}: {what}")


def equal(where, field, found, wanted):
    expect(found == wanted, where, f"{field} is {found!r}, not {wanted!r}")


# --- what the files say


def plain(value):
    """python-hcl2 keeps the quotes of strings and keys."""
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items() if not key.startswith("__")}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value


def schedules(terraform):
    import hcl2

    with open(terraform / "schedules.tf", encoding="utf-8") as file:
        return plain(hcl2.load(file))["locals"][0]["schedules"]


def parse(terraform):
    import hcl2

    files = sorted(path for kind in ("*.tf", "*.hcl", "*.tfvars.example") for path in terraform.rglob(kind))
    expect(len(files) > 8, str(terraform), "too few files")
    for path in files:
        try:
            with open(path, encoding="utf-8") as file:
                hcl2.load(file)
        except Exception as error:  # whatever the parser throws is the finding
            problems.append(f"{path}: {error}")
    if problems:
        return
    for name, job in schedules(terraform).items():
        equal(name, "the fields", sorted(job), sorted(FIELDS))
        for field, kind in FIELDS.items():
            expect(isinstance(job[field], kind), name, f"{field} is no literal")
        references = [field for field, value in job.items() if "${" in json.dumps(value)]
        expect(references in ([], ["timezone"]), name, f"{references} hold references")
        expect(job["timezone"] in ("UTC", "America/Denver", "${var.schedule_zone}"), name, f"timezone {job['timezone']}")
        for expression in job["schedule_expressions"]:
            expect(re.fullmatch(r"cron\(\S+ \S+ \S+ \S+ \S+ \S+\)", expression), name, f"{expression} is no cron of six fields")
            # One of the two days has to be a question mark, and only one.
            expect(expression[5:-1].split()[2:5:2].count("?") == 1, name, f"{expression} has not one ? among its days")


FIELDS = {
    "command": list,
    "schedule_expressions": list,
    "timezone": str,
    "deadline_seconds": int,
    "secrets": list,
    "cpu": int,
    "memory_mib": int,
}


# --- the server


def serve(port_file):
    from moto.cloudwatch.responses import CloudWatchResponse
    from moto.ec2.models.security_groups import SecurityGroupRule
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    # moto stores composite alarms, and describes them, and lacks the call that makes one: it is the other one's, with a rule.
    CloudWatchResponse.put_composite_alarm = CloudWatchResponse.put_metric_alarm
    # It stores the description of a rule about another group, too, and shows only that of a rule about addresses.
    SecurityGroupRule.description = property(lambda rule: (rule.ip_range or rule.source_group or {}).get("Description"))
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    _, port = server.get_host_and_port()
    part = port_file.with_suffix(".part")
    part.write_text(str(port))
    part.rename(port_file)
    server._thread.join()


def client(service):
    import boto3

    return boto3.client(service, region_name=REGION, endpoint_url=os.environ["AWS_ENDPOINT_URL"])


def prepare(tfvars):
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{index}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"]["SubnetId"]
        for index, zone in enumerate("ab")
    ]
    database = ec2.create_security_group(GroupName="database", Description="PostgreSQL", VpcId=vpc)["GroupId"]
    tfvars.write_text(
        json.dumps(
            {
                "region": REGION,
                "environment": ENVIRONMENT,
                "image_digest": "sha256:" + "1".zfill(64),
                "vpc_id": vpc,
                "subnet_ids": subnets,
                "database_security_group_id": database,
                "alert_emails": ["on-call@clinic.example", "lead@clinic.example"],
            }
        )
    )


# --- what AWS was told


def everything(service, call, key, **arguments):
    return [item for page in client(service).get_paginator(call).paginate(**arguments) for item in page[key]]


def names_of(job, count):
    if job == "health":
        return [f"hms-cron-health-check-{ENVIRONMENT}"]
    return [f"rounds-{job}-{ENVIRONMENT}"] + [f"rounds-{job}-{index}-{ENVIRONMENT}" for index in range(2, count + 1)]


def read_schedules(table, outputs, state):
    scheduler = client("scheduler")
    group = f"rounds-{ENVIRONMENT}"
    found = {item["Name"] for item in everything("scheduler", "list_schedules", "Schedules", GroupName=group)}
    wanted = {}
    for job, row in table.items():
        names = names_of(job, len(row["schedule_expressions"]))
        wanted.update({name: (job, expression) for name, expression in zip(names, row["schedule_expressions"])})
    equal("schedules", "the names", sorted(found), sorted(wanted))
    equal("outputs", "the schedules", sorted(outputs["schedule_names"]), sorted(wanted))
    for name in sorted(found & set(wanted)):
        job, expression = wanted[name]
        schedule = scheduler.get_schedule(GroupName=group, Name=name)
        target = schedule["Target"]
        task = client("ecs").describe_task_definition(taskDefinition=target["EcsParameters"]["TaskDefinitionArn"])["taskDefinition"]
        zone = table[job]["timezone"].replace("${var.schedule_zone}", "America/New_York")
        equal(name, "the expression", schedule["ScheduleExpression"], expression)
        equal(name, "the zone", schedule["ScheduleExpressionTimezone"], zone)
        equal(name, "the state", schedule["State"], state)
        window = {"Mode": "OFF"} if job == "health" else {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 1}
        equal(name, "the window", schedule["FlexibleTimeWindow"], window)
        retries = {"MaximumEventAgeInSeconds": max(60, table[job]["deadline_seconds"]), "MaximumRetryAttempts": 3}
        equal(name, "the retries", target["RetryPolicy"], retries)
        equal(name, "the dead letters", target["DeadLetterConfig"]["Arn"].split(":")[-1], f"rounds-dead-letters-{ENVIRONMENT}")
        equal(name, "the cluster", target["Arn"].split("/")[-1], f"rounds-{ENVIRONMENT}")
        equal(name, "the role", target["RoleArn"].split("/")[-1], f"rounds-scheduler-{ENVIRONMENT}")
        equal(name, "the launch type", target["EcsParameters"]["LaunchType"], "FARGATE")
        equal(name, "the task", (task["family"], task["status"]), (f"rounds-{job}-{ENVIRONMENT}", "ACTIVE"))
        network = target["EcsParameters"]["NetworkConfiguration"]["awsvpcConfiguration"]
        network = {key.lower(): value for key, value in network.items()}
        # They come in any order.
        groups = network["securitygroups"]
        expect(outputs["security_group_id"] in groups, name, f"has the security groups {groups}, not that of the tasks")
        equal(name, "the number of groups", len(groups), 2 if job == "deliver-notifications-email" else 1)


def read_tasks(table, state):
    ecs = client("ecs")
    secret_names = {
        "database": "DATABASE_URL",
        "practiceq-key": "ROUNDS_PRACTICEQ_KEY",
        "twilio-token": "ROUNDS_TWILIO_TOKEN",
        "smtp-password": "ROUNDS_SMTP_PASSWORD",
        "webhook-endpoints": "ROUNDS_WEBHOOK_ENDPOINTS",
    }
    # The second apply is of another image.
    digest = "sha256:" + ("1" if state == "DISABLED" else "2").zfill(64)
    arns = everything("secretsmanager", "list_secrets", "SecretList")
    arns = {secret["Name"].split("/")[-1]: secret["ARN"] for secret in arns}
    rows = dict(table, migrate={"command": ["migrate"], "secrets": ["database"], "cpu": 256, "memory_mib": 64})
    families = {arn.split("/")[-1].rsplit(":", 1)[0] for arn in everything("ecs", "list_task_definitions", "taskDefinitionArns")}
    equal("tasks", "the families", sorted(families), sorted(f"rounds-{job}-{ENVIRONMENT}" for job in rows))
    for job, row in rows.items():
        task = ecs.describe_task_definition(taskDefinition=f"rounds-{job}-{ENVIRONMENT}")["taskDefinition"]
        (container,) = task["containerDefinitions"]
        equal(job, "the command", container["command"], row["command"])
        equal(job, "the image", container["image"].split("@")[-1], digest)
        equal(job, "cpu and memory", (task["cpu"], task["memory"]), (str(row["cpu"]), str(row["cpu"] * 2)))
        equal(job, "the limit of memory", container["memory"], row["memory_mib"])
        equal(job, "the user", container["user"], "65532:65532")
        equal(job, "a read-only root", container["readonlyRootFilesystem"], True)
        equal(job, "capabilities", container["linuxParameters"]["capabilities"]["drop"], ["ALL"])
        equal(job, "the log driver", container["logConfiguration"]["logDriver"], "awslogs")
        expect("taskRoleArn" not in task, job, "the program has a role")
        # The last part of the secret's name is the role.
        role = "watch" if row["command"][0] == "health" else row["command"][0]
        wanted = {secret_names[secret]: arns.get(role if secret == "database" else secret) for secret in row["secrets"]}
        if job == "migrate":
            wanted = {"DATABASE_URL": arns["migrate-database-url"]}
        equal(job, "the secrets", {item["name"]: item["valueFrom"] for item in container["secrets"]}, wanted)


def read_policies():
    iam = client("iam")
    for role, service in (("scheduler", "scheduler.amazonaws.com"), ("execution", "ecs-tasks.amazonaws.com")):
        name = f"rounds-{role}-{ENVIRONMENT}"
        trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        trust = json.loads(unquote(trust)) if isinstance(trust, str) else trust
        for statement in trust["Statement"]:
            equal(name, "who may be it", statement["Principal"], {"Service": service})
            equal(name, "of which account", statement["Condition"]["StringEquals"]["aws:SourceAccount"], ACCOUNT)
        equal(name, "managed policies", iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"], [])
        (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
        document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for statement in document["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            expect(not any("*" in action for action in actions), name, f"{statement['Sid']} allows {actions}")
            expect(statement["Resource"] != "*" or actions == ["ecr:GetAuthorizationToken"], name, f"{statement['Sid']} is about *")


def read_alarms(table, outputs, state):
    cloudwatch = client("cloudwatch")
    alarms = cloudwatch.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    metric = {alarm["AlarmName"]: alarm for alarm in alarms["MetricAlarms"]}
    watched = [job for job in table if job != "health" and not job.endswith("-backup")]
    wanted = {f"hms-cron-{job}-{ENVIRONMENT}": job for job in watched}
    equal("alarms", "the names", sorted(metric), sorted([*wanted, f"hms-cron-dead-letters-{ENVIRONMENT}"]))
    for name, job in wanted.items():
        alarm = metric[name]
        equal(name, "the metric", (alarm["Namespace"], alarm["MetricName"]), ("HMS/CronJobs", "CronHealthStatus"))
        equal(name, "the dimension", alarm["Dimensions"], [{"Name": "JobName", "Value": job}])
        rule = (alarm["Statistic"], alarm["Period"], alarm["EvaluationPeriods"], alarm["TreatMissingData"], alarm["ComparisonOperator"])
        equal(name, "the rule", rule, ("Minimum", 300, 2, "breaching", "LessThanThreshold"))
        equal(name, "the threshold", alarm["Threshold"], 1.0)
    (composite,) = alarms["CompositeAlarms"]
    equal("composite alarm", "the name", composite["AlarmName"], f"hms-cron-unhealthy-{ENVIRONMENT}")
    equal("composite alarm", "the rule", sorted(re.findall(r'ALARM\("([^"]+)"\)', composite["AlarmRule"])), sorted(wanted))
    equal("composite alarm", "the rest of the rule", set(re.sub(r'ALARM\("[^"]+"\)', "", composite["AlarmRule"]).split()), {"OR"})
    equal("composite alarm", "whom it tells", composite["AlarmActions"], [outputs["alerts_topic_arn"]])
    equal("composite alarm", "whether it tells", composite["ActionsEnabled"], state == "ENABLED")
    for link in (outputs["dashboard_url"], "https://wiki.clinic.example/rounds"):
        expect(link in composite["AlarmDescription"], "composite alarm", f"does not link {link}")
    expect(len(composite["AlarmDescription"]) <= 1024, "composite alarm", "the description is too long")

    body = json.loads(cloudwatch.get_dashboard(DashboardName=f"hms-cron-{ENVIRONMENT}")["DashboardBody"])
    shown = {(line[1], line[3]) for widget in body["widgets"] for line in widget["properties"].get("metrics", [])}
    for job in watched:
        for name in ("CronHealthStatus", "CronExecutionDuration", "ItemsProcessed", "ItemsFailed"):
            expect((name, job) in shown, "dashboard", f"does not show {name} of {job}")

    topic = outputs["alerts_topic_arn"]
    expect(topic.endswith(f":hms-cron-alerts-{ENVIRONMENT}"), "topic", topic)
    told = {(item["Protocol"], item["Endpoint"]) for item in everything("sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic)}
    equal("topic", "who is told", told, {("email", "on-call@clinic.example"), ("email", "lead@clinic.example")})


def read_rest(outputs):
    kms = client("kms")
    (group,) = client("logs").describe_log_groups(logGroupNamePrefix=f"/rounds/{ENVIRONMENT}")["logGroups"]
    equal("logs", "how long they are kept", group["retentionInDays"], 400)
    key = group["kmsKeyId"]
    equal("key", "its rotation", kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"], True)
    users = [statement["Principal"] for statement in json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])["Statement"]]
    for service in (f"logs.{REGION}.amazonaws.com", "cloudwatch.amazonaws.com"):
        expect({"Service": service} in users, "key", f"does not let {service} in")
    topic = client("sns").get_topic_attributes(TopicArn=outputs["alerts_topic_arn"])["Attributes"]
    equal("topic", "the key", topic["KmsMasterKeyId"], key)
    rules = client("ec2").describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [outputs["security_group_id"]]}])
    rules = sorted((rule["IsEgress"], rule["FromPort"], rule["ToPort"]) for rule in rules["SecurityGroupRules"])
    equal("security group", "the rules", rules, [(True, 443, 443), (True, 5432, 5432)])


def read_back(terraform, outputs_file, state):
    table = schedules(terraform)
    outputs = json.loads(outputs_file.read_text())["rounds"]["value"]
    read_schedules(table, outputs, state)
    read_tasks(table, state)
    read_policies()
    read_alarms(table, outputs, state)
    read_rest(outputs)


def nothing_left():
    ecs = client("ecs")
    clusters = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
    left = {
        "schedules": everything("scheduler", "list_schedules", "Schedules"),
        "tasks": everything("ecs", "list_task_definitions", "taskDefinitionArns", status="ACTIVE"),
        # A cluster that is gone is still listed for a while.
        "clusters": [cluster["clusterName"] for cluster in clusters if cluster["status"] != "INACTIVE"],
        "alarms": client("cloudwatch").describe_alarms()["MetricAlarms"],
        "log groups": client("logs").describe_log_groups()["logGroups"],
        "queues": client("sqs").list_queues().get("QueueUrls", []),
        "topics": client("sns").list_topics()["Topics"],
        "roles": [role["RoleName"] for role in everything("iam", "list_roles", "Roles") if role["RoleName"].startswith("rounds-")],
    }
    for what, items in left.items():
        equal("after destroy", what, items, [])


def main():
    command, *arguments = sys.argv[1:]
    if command == "parse":
        parse(Path(arguments[0]))
    elif command == "serve":
        serve(Path(arguments[0]))
    elif command == "prepare":
        prepare(Path(arguments[0]))
    elif command == "read-back":
        read_back(Path(arguments[0]), Path(arguments[1]), arguments[2])
    elif command == "nothing-left":
        nothing_left()
    else:
        sys.exit(__doc__)
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
