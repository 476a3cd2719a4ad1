locals {
  # What ECS reads, without the key of a JSON secret that may stand behind the ARN.
  secret_arns = distinct([
    for arn in flatten([for task in local.tasks : values(task.secrets)]) : join(":", slice(split(":", arn), 0, 7))
  ])

  # All revisions: a back-out names an older one.
  family_arns         = { for name, task in aws_ecs_task_definition.job : name => "${task.arn_without_revision}:*" }
  scheduled_task_arns = [for name in keys(local.jobs) : local.family_arns[name]]
  passed_role_arns    = compact([aws_iam_role.execution.arn, var.task_role_arn])

  pass_roles = {
    Sid       = "GiveTasksTheirRoles"
    Effect    = "Allow"
    Action    = "iam:PassRole"
    Resource  = local.passed_role_arns
    Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
  }
  in_cluster = { ArnEquals = { "ecs:cluster" = aws_ecs_cluster.rounds.arn } }
}

# What ECS does before the program runs: pull the image, read the secrets, write the logs. The program itself has no role.
resource "aws_iam_role" "execution" {
  name = "rounds-execution-${var.environment}"
  tags = local.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:ecs:${local.region}:${local.account}:*" }
      }
    }]
  })
}

resource "aws_iam_role_policy" "execution" {
  name = "start-tasks"
  role = aws_iam_role.execution.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "WriteLogs"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = "${aws_cloudwatch_log_group.rounds.arn}:*"
        },
        {
          Sid      = "ReadSecrets"
          Effect   = "Allow"
          Action   = "secretsmanager:GetSecretValue"
          Resource = local.secret_arns
        },
      ],
      [
        for statement in [{
          Sid       = "DecryptSecrets"
          Effect    = "Allow"
          Action    = "kms:Decrypt"
          Resource  = tolist(var.secret_kms_key_arns)
          Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${local.region}.amazonaws.com" } }
        }] : statement if length(var.secret_kms_key_arns) > 0
      ],
      [
        for statement in [
          {
            Sid      = "PullImage"
            Effect   = "Allow"
            Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
            Resource = var.image_repository_arn
          },
          {
            # Knows no resource: it is the account's registry.
            Sid      = "LogInToRegistry"
            Effect   = "Allow"
            Action   = ["ecr:GetAuthorizationToken"]
            Resource = "*"
          },
        ] : statement if var.image_repository_arn != null
      ],
    )
  })
}

# What EventBridge Scheduler does: start these tasks in this cluster, and say where it could not.
resource "aws_iam_role" "scheduler" {
  name = "rounds-scheduler-${var.environment}"
  tags = local.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = {
          "aws:SourceAccount" = local.account
          "aws:SourceArn"     = aws_scheduler_schedule_group.rounds.arn
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "scheduler" {
  name = "start-jobs"
  role = aws_iam_role.scheduler.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "StartJobs"
        Effect    = "Allow"
        Action    = "ecs:RunTask"
        Resource  = local.scheduled_task_arns
        Condition = local.in_cluster
      },
      local.pass_roles,
      {
        Sid      = "GiveUp"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = aws_sqs_queue.dead_letters.arn
      },
    ]
  })
}

# For people and for the button in a page: attach it to whoever may start a job by hand. IAM cannot forbid other arguments
# (a RunTask may override them), so whoever has it may do all that `rounds` can do with the jobs' database role.
resource "aws_iam_policy" "start" {
  name        = "rounds-start-${var.environment}"
  description = "Start the jobs of rounds by hand, stop them, read their logs"
  tags        = local.tags
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "StartJobs"
        Effect    = "Allow"
        Action    = "ecs:RunTask"
        Resource  = local.scheduled_task_arns
        Condition = local.in_cluster
      },
      local.pass_roles,
      local.follow_tasks,
      local.read_logs,
    ]
  })
}

# Apart: `rounds migrate` has the role that owns the schema.
resource "aws_iam_policy" "migrate" {
  name        = "rounds-migrate-${var.environment}"
  description = "Start rounds migrate, read its logs"
  tags        = local.tags
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "StartMigrate"
        Effect    = "Allow"
        Action    = "ecs:RunTask"
        Resource  = local.family_arns["migrate"]
        Condition = local.in_cluster
      },
      local.pass_roles,
      local.follow_tasks,
      local.read_logs,
    ]
  })
}

locals {
  follow_tasks = {
    Sid      = "FollowTasks"
    Effect   = "Allow"
    Action   = ["ecs:DescribeTasks", "ecs:StopTask"]
    Resource = "arn:${local.partition}:ecs:${local.region}:${local.account}:task/${aws_ecs_cluster.rounds.name}/*"
  }
  read_logs = {
    Sid      = "ReadLogs"
    Effect   = "Allow"
    Action   = ["logs:FilterLogEvents", "logs:GetLogEvents"]
    Resource = "${aws_cloudwatch_log_group.rounds.arn}:*"
  }
}
