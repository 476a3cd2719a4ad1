# What the module says, without AWS: `terraform test`. The answers of AWS are made up; what depends on them is proved
# against a local server by scripts/check-terraform.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { id = "us-east-1", name = "us-east-1" }
  }
  mock_resource "aws_ecs_cluster" {
    defaults = { arn = "arn:aws:ecs:us-east-1:123456789012:cluster/rounds-test" }
  }
  mock_resource "aws_ecs_task_definition" {
    defaults = {
      arn                  = "arn:aws:ecs:us-east-1:123456789012:task-definition/rounds:1"
      arn_without_revision = "arn:aws:ecs:us-east-1:123456789012:task-definition/rounds"
    }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/rounds" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-east-1:123456789012:key/rounds" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:/rounds/test" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:hms-cron-alerts-test" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = {
      arn = "arn:aws:sqs:us-east-1:123456789012:rounds-dead-letters-test"
      url = "https://sqs.us-east-1.amazonaws.com/123456789012/rounds-dead-letters-test"
    }
  }
  mock_resource "aws_scheduler_schedule_group" {
    defaults = { arn = "arn:aws:scheduler:us-east-1:123456789012:schedule-group/rounds-test" }
  }
}

variables {
  environment              = "test"
  image                    = "registry.example/rounds@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  vpc_id                   = "vpc-0123456789abcdef0"
  subnet_ids               = ["subnet-0123456789abcdef0"]
  database_security_groups = { database = "sg-0123456789abcdef0" }
  # Keys of one JSON secret, but for the sync.
  database_url_secret_arns = {
    mark-no-shows           = "arn:aws:secretsmanager:us-east-1:123456789012:secret:database-AbCdEf:mark-no-shows::"
    stage-alerts            = "arn:aws:secretsmanager:us-east-1:123456789012:secret:database-AbCdEf:stage-alerts::"
    notify-cancellations    = "arn:aws:secretsmanager:us-east-1:123456789012:secret:database-AbCdEf:notify-cancellations::"
    apply-absences          = "arn:aws:secretsmanager:us-east-1:123456789012:secret:database-AbCdEf:apply-absences::"
    flag-schedule-conflicts = "arn:aws:secretsmanager:us-east-1:123456789012:secret:database-AbCdEf:flag-schedule-conflicts::"
    escalate-sla            = "arn:aws:secretsmanager:us-east-1:123456789012:secret:database-AbCdEf:escalate-sla::"
    monitor-ticket-sla      = "arn:aws:secretsmanager:us-east-1:123456789012:secret:database-AbCdEf:monitor-ticket-sla::"
    escalate-tickets        = "arn:aws:secretsmanager:us-east-1:123456789012:secret:database-AbCdEf:escalate-tickets::"
    advance-billing         = "arn:aws:secretsmanager:us-east-1:123456789012:secret:database-AbCdEf:advance-billing::"
    refresh-npi             = "arn:aws:secretsmanager:us-east-1:123456789012:secret:database-AbCdEf:refresh-npi::"
    sync-practiceq          = "arn:aws:secretsmanager:us-east-1:123456789012:secret:sync-AbCdEf"
    deliver-notifications   = "arn:aws:secretsmanager:us-east-1:123456789012:secret:database-AbCdEf:deliver-notifications::"
    prune                   = "arn:aws:secretsmanager:us-east-1:123456789012:secret:database-AbCdEf:prune::"
    watch                   = "arn:aws:secretsmanager:us-east-1:123456789012:secret:database-AbCdEf:watch::"
  }
  migrate_database_url_secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:migrate-AbCdEf"
  practiceq_key_secret            = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:practiceq-AbCdEf" }
  twilio_token_secret             = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:twilio-AbCdEf" }
  smtp_password_secret            = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:smtp-AbCdEf" }
  webhook_endpoints_secret        = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:webhook-AbCdEf" }
  runbook_url                     = "https://wiki.clinic.example/rounds"
  alert_emails                    = ["on-call@clinic.example"]
}

run "every_job_has_what_it_needs" {
  assert {
    condition     = toset([for schedule in aws_scheduler_schedule.job : schedule.schedule_expression_timezone]) == toset(["America/New_York", "America/Denver", "UTC"])
    error_message = "The zones are the schedule zone, Denver and UTC."
  }
  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.job : schedule.state == "ENABLED" && length(schedule.name) <= 64])
    error_message = "Every schedule is on, and its name fits."
  }
  assert {
    condition     = aws_scheduler_schedule.job["hms-cron-health-check-test"].flexible_time_window[0].mode == "OFF"
    error_message = "health is on time: alarms count its periods."
  }
  assert {
    condition = (
      aws_scheduler_schedule.job["rounds-sync-practiceq-incremental-test"].schedule_expression == "cron(0/15 6-19 * * ? *)" &&
      aws_scheduler_schedule.job["rounds-sync-practiceq-incremental-2-test"].schedule_expression == "cron(0 20 * * ? *)"
    )
    error_message = "20:00 is the last slot of the incremental sync."
  }
  assert {
    condition = alltrue([
      for schedule in aws_scheduler_schedule.job : length(schedule.target[0].dead_letter_config) == 1
      && schedule.target[0].retry_policy[0].maximum_event_age_in_seconds >= 60
      && schedule.target[0].retry_policy[0].maximum_event_age_in_seconds <= 3600
    ])
    error_message = "Every schedule gives up in time, and says so."
  }
  assert {
    condition     = length(aws_ecs_task_definition.job) == length(local.schedules) + 1
    error_message = "A task definition a job, and one of migrate."
  }
}

run "tasks_are_locked_down" {
  assert {
    condition = alltrue([
      for task in aws_ecs_task_definition.job : alltrue([
        for container in jsondecode(task.container_definitions) :
        container.readonlyRootFilesystem && container.user == "65532:65532" && !container.privileged
        && container.linuxParameters.capabilities.drop == ["ALL"] && container.memory <= 128 && container.stopTimeout > 10
      ])
    ])
    error_message = "Read-only, nobody's user, no capabilities, little memory, time to finish the row."
  }
  assert {
    condition = alltrue([
      for name, task in aws_ecs_task_definition.job :
      contains([for secret in jsondecode(task.container_definitions)[0].secrets : secret.name], "ROUNDS_PRACTICEQ_KEY")
      == startswith(name, "sync-practiceq")
    ])
    error_message = "Only the sync has the key of the PracticeQ account."
  }
  assert {
    condition     = jsondecode(aws_ecs_task_definition.job["migrate"].container_definitions)[0].secrets[0].valueFrom == var.migrate_database_url_secret_arn
    error_message = "migrate connects as the owner of the schema."
  }
  assert {
    condition = alltrue([
      for name, job in local.jobs : contains(
        [for secret in jsondecode(aws_ecs_task_definition.job[name].container_definitions)[0].secrets : secret.valueFrom],
        var.database_url_secret_arns[job.command[0] == "health" ? "watch" : job.command[0]]
      )
    ])
    error_message = "Each job has the URL of its own role, and both stages of billing the same."
  }
  assert {
    condition = alltrue([
      for name, task in aws_ecs_task_definition.job :
      contains(jsondecode(task.container_definitions)[0].environment, { name = "ROUNDS_SOURCE", value = "cron" })
      == !contains(["health", "migrate"], name)
    ])
    error_message = "Runs say that a scheduler started them."
  }
  assert {
    condition = alltrue([
      for name, task in aws_ecs_task_definition.job :
      jsondecode(task.container_definitions)[0].logConfiguration.options["awslogs-stream-prefix"] == name
    ])
    error_message = "Each job has its own log streams."
  }
  assert {
    condition     = alltrue([for task in aws_ecs_task_definition.job : task.task_role_arn == null])
    error_message = "The program has no role."
  }
}

run "nobody_may_more_than_needed" {
  assert {
    condition = alltrue([
      for policy in [aws_iam_role_policy.execution.policy, aws_iam_role_policy.scheduler.policy, aws_iam_policy.start.policy, aws_iam_policy.migrate.policy] :
      alltrue([
        for statement in jsondecode(policy).Statement :
        statement.Resource != "*" && statement.Resource != ["*"] && alltrue([for action in flatten([statement.Action]) : !strcontains(action, "*")])
      ])
    ])
    error_message = "No policy says *."
  }
  assert {
    condition = toset(flatten([
      for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement : statement.Resource if statement.Sid == "ReadSecrets"
      ])) == toset([
      "arn:aws:secretsmanager:us-east-1:123456789012:secret:database-AbCdEf",
      "arn:aws:secretsmanager:us-east-1:123456789012:secret:migrate-AbCdEf",
      "arn:aws:secretsmanager:us-east-1:123456789012:secret:practiceq-AbCdEf",
      "arn:aws:secretsmanager:us-east-1:123456789012:secret:sync-AbCdEf",
      "arn:aws:secretsmanager:us-east-1:123456789012:secret:twilio-AbCdEf",
      "arn:aws:secretsmanager:us-east-1:123456789012:secret:smtp-AbCdEf",
      "arn:aws:secretsmanager:us-east-1:123456789012:secret:webhook-AbCdEf",
    ])
    error_message = "Seven secrets, without the key of a JSON secret."
  }
  assert {
    condition = alltrue([
      for statement in concat(jsondecode(aws_iam_role_policy.scheduler.policy).Statement, jsondecode(aws_iam_policy.start.policy).Statement) :
      try(statement.Condition.ArnEquals["ecs:cluster"], "") == aws_ecs_cluster.rounds.arn if statement.Action == "ecs:RunTask"
    ])
    error_message = "Tasks start in this cluster only."
  }
}

run "alarms_ring" {
  assert {
    condition     = toset(keys(aws_cloudwatch_metric_alarm.job)) == toset([for name in keys(local.schedules) : name if name != "health" && !endswith(name, "-backup")])
    error_message = "One alarm a job, none of health itself and of the backups."
  }
  assert {
    condition = alltrue([
      for name, alarm in aws_cloudwatch_metric_alarm.job :
      alarm.namespace == "HMS/CronJobs" && alarm.metric_name == "CronHealthStatus" && alarm.dimensions == tomap({ JobName = name })
      && alarm.statistic == "Minimum" && alarm.evaluation_periods == 2 && alarm.treat_missing_data == "breaching"
    ])
    error_message = "Two bad or missing periods ring."
  }
  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.job :
      strcontains(aws_cloudwatch_composite_alarm.unhealthy.alarm_rule, "ALARM(\"${alarm.alarm_name}\")")
    ])
    error_message = "Every job's alarm is in the composite one."
  }
  assert {
    condition = (
      strcontains(aws_cloudwatch_composite_alarm.unhealthy.alarm_description, "#dashboards/dashboard/hms-cron-test")
      && strcontains(aws_cloudwatch_composite_alarm.unhealthy.alarm_description, var.runbook_url)
      && aws_cloudwatch_composite_alarm.unhealthy.alarm_name == "hms-cron-unhealthy-test"
    )
    error_message = "The alarm says where to look and what to do."
  }
  assert {
    condition     = aws_cloudwatch_composite_alarm.unhealthy.alarm_actions == toset([aws_sns_topic.alerts.arn]) && aws_sns_topic.alerts.name == "hms-cron-alerts-test"
    error_message = "The alarm reaches the topic."
  }
}

run "paused" {
  variables {
    schedules_enabled = false
  }
  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.job : schedule.state == "DISABLED"]) && !aws_cloudwatch_composite_alarm.unhealthy.actions_enabled
    error_message = "Nothing starts, and nobody is called."
  }
}

run "backup_only" {
  variables {
    disabled_jobs = ["mark-no-shows", "stage-alerts"]
  }
  assert {
    condition = (
      aws_scheduler_schedule.job["rounds-mark-no-shows-test"].state == "DISABLED"
      && aws_scheduler_schedule.job["rounds-mark-no-shows-backup-test"].state == "ENABLED"
      && contains(keys(aws_cloudwatch_metric_alarm.job), "mark-no-shows")
    )
    error_message = "What runs elsewhere is still backed up and watched."
  }
}

run "each_channel_has_its_own_secret_and_way_out" {
  assert {
    condition = alltrue([
      for name, task in aws_ecs_task_definition.job : alltrue([
        for lane, variable in {
          sms = "ROUNDS_TWILIO_TOKEN", email = "ROUNDS_SMTP_PASSWORD", webhook = "ROUNDS_WEBHOOK_ENDPOINTS"
        } :
        contains([for secret in jsondecode(task.container_definitions)[0].secrets : secret.name], variable)
        == (name == "deliver-notifications-${lane}")
      ])
    ])
    error_message = "A channel has its own secret, and no other job has it."
  }
  # Which task has the group of mail beside that of all: scripts/check-terraform reads it back.
  assert {
    condition = (
      join(" ", local.mailers) == "deliver-notifications-email"
      && join(" ", sort([for rule in aws_vpc_security_group_egress_rule.mail : tostring(rule.from_port)])) == "465 587"
    )
    error_message = "Only the lane that sends mail may reach the ports of mail."
  }
}

run "without_messages" {
  variables {
    twilio_token_secret      = null
    smtp_password_secret     = null
    webhook_endpoints_secret = null
  }
  assert {
    condition = (
      length([for name in keys(aws_ecs_task_definition.job) : name if startswith(name, "deliver-notifications")]) == 0
      && length(aws_security_group.mail) == 0
    )
    error_message = "A clinic without providers delivers nothing, and has no way out for mail."
  }
}

run "without_practiceq" {
  variables {
    practiceq_key_secret = null
    unwatched_jobs       = ["refresh-npi"]
  }
  assert {
    condition = (
      length([for name in keys(aws_ecs_task_definition.job) : name if startswith(name, "sync-practiceq")]) == 0
      && length([for name in keys(aws_scheduler_schedule.job) : name if strcontains(name, "sync-practiceq")]) == 0
      && length([for name in keys(aws_cloudwatch_metric_alarm.job) : name if startswith(name, "sync-practiceq") || name == "refresh-npi"]) == 0
    )
    error_message = "A clinic without the account has no such jobs."
  }
}

run "refuses_a_tag" {
  command = plan
  variables {
    image = "registry.example/rounds:latest"
  }
  expect_failures = [var.image]
}

run "refuses_unknown_jobs" {
  command = plan
  variables {
    disabled_jobs  = ["mark-no-show"]
    unwatched_jobs = ["no-such-job"]
  }
  expect_failures = [var.disabled_jobs, var.unwatched_jobs]
}

run "refuses_what_is_no_zone" {
  command = plan
  variables {
    schedule_zone = "Eastern"
  }
  expect_failures = [var.schedule_zone]
}

run "refuses_the_owner_of_the_schema_for_a_job" {
  command = plan

  variables {
    migrate_database_url_secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:sync-AbCdEf"
  }
  expect_failures = [var.migrate_database_url_secret_arn]
}

run "refuses_a_job_without_a_role" {
  command = plan

  variables {
    database_url_secret_arns = { prune = "arn:aws:secretsmanager:us-east-1:123456789012:secret:database-AbCdEf" }
  }
  expect_failures = [var.database_url_secret_arns]
}

run "refuses_secrets_in_the_environment" {
  command = plan
  variables {
    job_environment = { ROUNDS_PRACTICEQ_KEY = "not here" }
  }
  expect_failures = [var.job_environment]
}
