resource "aws_ecs_cluster" "rounds" {
  # checkov:skip=CKV_AWS_65:Insights count tasks by the minute at a price; what a run did is in cron_job_runs and in HMS/CronJobs.
  name = "rounds-${var.environment}"
  tags = local.tags

  setting {
    name  = "containerInsights"
    value = "disabled"
  }
}

locals {
  # The role of each job in the database: a lane has that of its job, and health that of who watches.
  roles = { for name, job in local.jobs : name => job.command[0] == "health" ? "watch" : job.command[0] }

  # A task definition a job, not one with the arguments in the schedule: a job gets its own secrets only, is started by
  # hand without knowing its arguments, and can be allowed by its name.
  tasks = merge(
    {
      for name, job in local.jobs : name => {
        command    = job.command
        cpu        = job.cpu
        memory_mib = job.memory_mib
        secrets = {
          for secret in job.secrets : local.secrets[secret].variable =>
          secret == "database" ? var.database_url_secret_arns[local.roles[name]] : local.secrets[secret].from[0]
        }
        # A flag of its own wins, as the backups have one.
        environment = name == "health" ? {} : { ROUNDS_SOURCE = "cron" }
      }
    },
    {
      migrate = {
        command     = ["migrate"]
        cpu         = 256
        memory_mib  = 64
        secrets     = { DATABASE_URL = var.migrate_database_url_secret_arn }
        environment = {}
      }
    },
  )
}

resource "aws_ecs_task_definition" "job" {
  for_each = local.tasks

  family                   = "rounds-${each.key}-${var.environment}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.cpu * 2
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = var.task_role_arn
  tags                     = local.tags

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  # Room for the registry's file, which refresh-npi downloads. The image says whose /tmp is.
  volume {
    name = "tmp"
  }

  container_definitions = jsonencode([{
    name                   = "rounds"
    image                  = var.image
    command                = each.value.command
    essential              = true
    memory                 = each.value.memory_mib
    user                   = "65532:65532"
    privileged             = false
    readonlyRootFilesystem = true
    linuxParameters = {
      capabilities       = { drop = ["ALL"] }
      initProcessEnabled = false
    }
    # A run finishes its row within 10 s after SIGTERM.
    stopTimeout = 30
    mountPoints = [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]

    environment = [
      for variable, value in merge(
        {
          ROUNDS_LOG_FORMAT    = "json"
          ROUNDS_METRICS       = "emf"
          ROUNDS_OUTPUT        = "json"
          ROUNDS_SCHEDULE_ZONE = var.schedule_zone
        },
        local.schedule_environment,
        each.value.environment,
        var.job_environment,
      ) : { name = variable, value = value }
    ]
    secrets = [for variable, from in each.value.secrets : { name = variable, valueFrom = from }]

    # stdout and stderr are one stream; CloudWatch finds the metric lines in it by their "_aws".
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.rounds.name
        awslogs-region        = local.region
        awslogs-stream-prefix = each.key
      }
    }

    portMappings   = []
    systemControls = []
    volumesFrom    = []
  }])

  # A schedule that fires in the middle of an apply still finds what it names.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group" "tasks" {
  # checkov:skip=CKV2_AWS_5:The schedules name it for the tasks they start, where checkov does not look.
  name_prefix = "rounds-${var.environment}-"
  description = "Tasks of rounds: nobody connects to them"
  vpc_id      = var.vpc_id
  tags        = local.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.tasks.id
  description       = "Image, secrets and logs; the registry, the PracticeQ API, providers of messages"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
  tags              = local.tags
}

# The one task that sends mail has a group of its own beside that of all tasks.
resource "aws_security_group" "mail" {
  # checkov:skip=CKV2_AWS_5:The schedules name it for the tasks they start, where checkov does not look.
  count = length(local.mailers) > 0 ? 1 : 0

  name_prefix = "rounds-mail-${var.environment}-"
  description = "The task of rounds that sends mail: nobody connects to it"
  vpc_id      = var.vpc_id
  tags        = local.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_egress_rule" "mail" {
  for_each = length(local.mailers) > 0 ? { tls = 465, starttls = 587 } : {}

  security_group_id = aws_security_group.mail[0].id
  description       = "Submission of mail"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
  cidr_ipv4         = "0.0.0.0/0"
  tags              = local.tags
}

resource "aws_vpc_security_group_egress_rule" "database" {
  for_each = var.database_security_groups

  security_group_id            = aws_security_group.tasks.id
  description                  = "The database"
  ip_protocol                  = "tcp"
  from_port                    = var.database_port
  to_port                      = var.database_port
  referenced_security_group_id = each.value
  tags                         = local.tags
}

resource "aws_vpc_security_group_egress_rule" "database_cidr" {
  for_each = var.database_cidr_blocks

  security_group_id = aws_security_group.tasks.id
  description       = "The database"
  ip_protocol       = "tcp"
  from_port         = var.database_port
  to_port           = var.database_port
  cidr_ipv4         = each.value
  tags              = local.tags
}
