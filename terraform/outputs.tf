output "security_group_id" {
  description = "The security group of the tasks: let it in at the database."
  value       = aws_security_group.tasks.id
}

output "cluster_name" {
  description = "The ECS cluster, for `aws ecs run-task --cluster`."
  value       = aws_ecs_cluster.rounds.name
}

output "task_families" {
  description = "The task family of each job and of migrate, for `aws ecs run-task --task-definition`."
  value       = { for name, task in aws_ecs_task_definition.job : name => task.family }
}

output "run_task_network" {
  description = "For `aws ecs run-task --network-configuration`."
  value = jsonencode({
    awsvpcConfiguration = {
      subnets        = var.subnet_ids
      securityGroups = [aws_security_group.tasks.id]
      assignPublicIp = var.assign_public_ip ? "ENABLED" : "DISABLED"
    }
  })
}

output "schedule_names" {
  description = "The schedules, by name, with their state."
  value       = { for name, schedule in aws_scheduler_schedule.job : name => schedule.state }
}

output "start_policy_arn" {
  description = "The IAM policy of those who may start jobs by hand."
  value       = aws_iam_policy.start.arn
}

output "migrate_policy_arn" {
  description = "The IAM policy of those who may migrate the database."
  value       = aws_iam_policy.migrate.arn
}

output "alerts_topic_arn" {
  description = "The topic of alerts, for what is no e-mail address."
  value       = aws_sns_topic.alerts.arn
}

output "dead_letter_queue_url" {
  description = "Starts that were given up."
  value       = aws_sqs_queue.dead_letters.url
}

output "log_group_name" {
  description = "The log group of all tasks."
  value       = aws_cloudwatch_log_group.rounds.name
}

output "dashboard_url" {
  description = "The dashboard in the console."
  value       = local.dashboard_url
}

output "alarm_url" {
  description = "The composite alarm in the console."
  value       = "${local.cloudwatch}#alarmsV2:alarm/${aws_cloudwatch_composite_alarm.unhealthy.alarm_name}"
}

output "logs_url" {
  description = "The logs in the console."
  value       = "${local.cloudwatch}#logsV2:log-groups/log-group/${replace(aws_cloudwatch_log_group.rounds.name, "/", "$252F")}"
}

output "schedules_url" {
  description = "The schedules in the console."
  value       = "${local.console}/scheduler/home?region=${local.region}#schedules?scheduleGroupName=${aws_scheduler_schedule_group.rounds.name}"
}

output "tasks_url" {
  description = "The cluster's tasks in the console."
  value       = "${local.console}/ecs/v2/clusters/${aws_ecs_cluster.rounds.name}/tasks?region=${local.region}"
}
