data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id
  tags      = merge({ Application = "rounds", Environment = var.environment }, var.tags)

  # ECS refuses a task whose secret does not exist, so a job without its secret has no task at all.
  # That of the database is each role's own: see tasks.tf.
  secrets = {
    database      = { variable = "DATABASE_URL", from = values(var.database_url_secret_arns) }
    practiceq-key = { variable = "ROUNDS_PRACTICEQ_KEY", from = var.practiceq_key_secret[*].arn }
    # Those of the three channels of messages. The endpoints are the text of a TOML file.
    twilio-token      = { variable = "ROUNDS_TWILIO_TOKEN", from = var.twilio_token_secret[*].arn }
    smtp-password     = { variable = "ROUNDS_SMTP_PASSWORD", from = var.smtp_password_secret[*].arn }
    webhook-endpoints = { variable = "ROUNDS_WEBHOOK_ENDPOINTS", from = var.webhook_endpoints_secret[*].arn }
  }
  jobs = {
    for name, job in local.schedules : name => job
    if alltrue([for secret in job.secrets : length(local.secrets[secret].from) > 0])
  }

  # The lane that sends mail, if there is one.
  mailers = [for name, job in local.jobs : name if contains(job.secrets, "smtp-password")]

  # health publishes the metric of every job but its own, and a backup run counts as one of its job.
  watched = [
    for name, job in local.jobs : name
    if name != "health" && !endswith(name, "-backup") && !contains(var.unwatched_jobs, name)
  ]

  metric_namespace = "HMS/CronJobs"
}
