locals {
  console       = "https://${local.region}.${local.partition == "aws-us-gov" ? "console.amazonaws-us-gov.com" : "console.aws.amazon.com"}"
  cloudwatch    = "${local.console}/cloudwatch/home?region=${local.region}"
  dashboard     = "hms-cron-${var.environment}"
  dashboard_url = "${local.cloudwatch}#dashboards/dashboard/${local.dashboard}"
  links         = "Dashboard: ${local.dashboard_url} Runbook: ${var.runbook_url}"

  # What each graph shows, of all jobs.
  graphs = [
    { title = "Health (1 is healthy)", metric = "CronHealthStatus", statistic = "Minimum" },
    { title = "Duration of runs (ms)", metric = "CronExecutionDuration", statistic = "Maximum" },
    { title = "Items processed", metric = "ItemsProcessed", statistic = "Sum" },
    { title = "Items failed", metric = "ItemsFailed", statistic = "Sum" },
  ]
}

resource "aws_cloudwatch_dashboard" "rounds" {
  dashboard_name = local.dashboard
  dashboard_body = jsonencode({
    widgets = concat(
      [
        {
          type       = "text"
          x          = 0
          y          = 0
          width      = 24
          height     = 2
          properties = { markdown = "**rounds, ${var.environment}.** A red alarm: [runbook](${var.runbook_url}). What ran, and why it failed, is in the table `cron_job_runs`." }
        },
        {
          type   = "alarm"
          x      = 0
          y      = 2
          width  = 24
          height = 4
          properties = {
            title = "Alarms"
            alarms = concat(
              [aws_cloudwatch_composite_alarm.unhealthy.arn, aws_cloudwatch_metric_alarm.dead_letters.arn],
              [for name in local.watched : aws_cloudwatch_metric_alarm.job[name].arn],
            )
          }
        },
      ],
      [
        for index, graph in local.graphs : {
          type   = "metric"
          x      = (index % 2) * 12
          y      = 6 + floor(index / 2) * 8
          width  = 12
          height = 8
          properties = {
            title   = graph.title
            region  = local.region
            view    = "timeSeries"
            stat    = graph.statistic
            period  = 300
            metrics = [for name in local.watched : [local.metric_namespace, graph.metric, "JobName", name]]
          }
        }
      ],
      [
        {
          type   = "log"
          x      = 0
          y      = 22
          width  = 24
          height = 8
          properties = {
            title  = "Warnings and errors"
            region = local.region
            view   = "table"
            query  = "SOURCE '${aws_cloudwatch_log_group.rounds.name}' | filter level in ['WARN', 'ERROR'] | fields @timestamp, @logStream, @message | sort @timestamp desc | limit 50"
          }
        },
      ],
    )
  })
}
