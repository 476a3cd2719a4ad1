resource "aws_sns_topic" "alerts" {
  name              = "hms-cron-alerts-${var.environment}"
  kms_master_key_id = aws_kms_key.rounds.arn
  tags              = local.tags
}

resource "aws_sns_topic_policy" "alerts" {
  arn = aws_sns_topic.alerts.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AlarmsOfThisAccount"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alerts.arn
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      {
        Sid       = "OnlyEncrypted"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alerts.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.alert_emails

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.value
}

# One a job, on what `rounds health` says of it every five minutes: a failed run, a late one, one that never started. That
# nothing is said for ten minutes is as bad.
resource "aws_cloudwatch_metric_alarm" "job" {
  for_each = toset(local.watched)

  alarm_name          = "hms-cron-${each.key}-${var.environment}"
  alarm_description   = "${each.key} is not healthy, or its health is not known. ${local.links}"
  namespace           = local.metric_namespace
  metric_name         = "CronHealthStatus"
  dimensions          = { JobName = each.key }
  statistic           = "Minimum"
  period              = 300
  evaluation_periods  = 2
  datapoints_to_alarm = 2
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  # No actions: the composite alarm tells, once.
  tags = local.tags
}

resource "aws_cloudwatch_composite_alarm" "unhealthy" {
  alarm_name        = "hms-cron-unhealthy-${var.environment}"
  alarm_description = "At least one job of rounds is not healthy. ${local.links}"
  alarm_rule        = join(" OR ", [for name in local.watched : "ALARM(\"${aws_cloudwatch_metric_alarm.job[name].alarm_name}\")"])
  actions_enabled   = var.schedules_enabled
  alarm_actions     = [aws_sns_topic.alerts.arn]
  ok_actions        = [aws_sns_topic.alerts.arn]
  tags              = local.tags
}

# EventBridge could not start a task: no permission, no address left in the subnets, no such image.
resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "hms-cron-dead-letters-${var.environment}"
  alarm_description   = "A job could not be started, and was given up; the queue's messages say why. It rings until they are deleted. ${local.links}"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
  tags                = local.tags
}
