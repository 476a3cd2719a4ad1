locals {
  # A schedule has one expression; a job has one or two.
  schedules_by_name = merge([
    for name, job in local.jobs : {
      for index, expression in job.schedule_expressions :
      (name == "health" ? "hms-cron-health-check-${var.environment}" :
        index == 0 ? "rounds-${name}-${var.environment}" : "rounds-${name}-${index + 1}-${var.environment}"
      ) => merge(job, { job = name, schedule_expression = expression })
    }
  ]...)
}

resource "aws_scheduler_schedule_group" "rounds" {
  name = "rounds-${var.environment}"
  tags = local.tags
}

resource "aws_scheduler_schedule" "job" {
  # checkov:skip=CKV_AWS_297:A schedule holds the name of a task and no arguments; with a key of one's own, a key that is disabled stops every job.
  for_each = local.schedules_by_name

  name                         = each.key
  group_name                   = aws_scheduler_schedule_group.rounds.name
  description                  = "rounds ${join(" ", each.value.command)}"
  schedule_expression          = each.value.schedule_expression
  schedule_expression_timezone = each.value.timezone
  state                        = var.schedules_enabled && !contains(var.disabled_jobs, each.value.job) ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode                      = local.windows[each.value.job] == 0 ? "OFF" : "FLEXIBLE"
    maximum_window_in_minutes = local.windows[each.value.job] == 0 ? null : local.windows[each.value.job]
  }

  target {
    arn      = aws_ecs_cluster.rounds.arn
    role_arn = aws_iam_role.scheduler.arn

    ecs_parameters {
      task_definition_arn = aws_ecs_task_definition.job[each.value.job].arn
      launch_type         = "FARGATE"
      platform_version    = "LATEST"
      task_count          = 1

      network_configuration {
        subnets = var.subnet_ids
        security_groups = concat(
          [aws_security_group.tasks.id], contains(local.mailers, each.value.job) ? aws_security_group.mail[*].id : []
        )
        assign_public_ip = var.assign_public_ip
      }
    }

    # For a task that could not be started. One that started and failed is not started again from here: the next slot
    # does the rest. A start that is as late as the job's deadline is worth nothing: the next slot is near.
    retry_policy {
      maximum_retry_attempts       = 3
      maximum_event_age_in_seconds = max(60, each.value.deadline_seconds)
    }

    dead_letter_config {
      arn = aws_sqs_queue.dead_letters.arn
    }
  }

  # Before it may start a task, a schedule fires into its dead letters.
  depends_on = [aws_iam_role_policy.scheduler]
}

locals {
  # Two periods without its metric ring every alarm, so health does not move about in its own.
  windows = { for name, job in local.jobs : name => name == "health" ? 0 : var.flexible_window_minutes }
}

# Starts that were given up. They hold names of tasks, nothing of a patient.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "rounds-dead-letters-${var.environment}"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
  tags                      = local.tags
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyEncrypted"
      Effect    = "Deny"
      Principal = { AWS = "*" }
      Action    = "sqs:*"
      Resource  = aws_sqs_queue.dead_letters.arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}
