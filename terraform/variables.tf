variable "environment" {
  description = "Ends every name, such as prod: one module call an environment."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,11}$", var.environment))
    error_message = "Up to 12 lower-case letters, digits and hyphens, a letter first: names of schedules and roles end at 64 characters."
  }
}

variable "image" {
  description = "The container image by its digest, such as 123456789012.dkr.ecr.us-east-1.amazonaws.com/rounds@sha256:..."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "Name the image by its digest (repository@sha256:...): a tag can be moved, and a back-out needs to name what ran before."
  }
}

variable "image_repository_arn" {
  description = "The ECR repository that tasks may pull from; null where the image's registry asks nobody who he is."
  type        = string
  default     = null
}

variable "cpu_architecture" {
  description = "X86_64 or ARM64: what the image was built for."
  type        = string
  default     = "X86_64"

  validation {
    condition     = contains(["X86_64", "ARM64"], var.cpu_architecture)
    error_message = "X86_64 or ARM64."
  }
}

variable "schedule_zone" {
  description = "The schedule zone: the IANA time zone of the jobs that run at an hour of the day."
  type        = string
  default     = "America/New_York"

  validation {
    condition     = can(regex("^(UTC|[A-Z][A-Za-z_]+(/[A-Za-z_+-]+)+)$", var.schedule_zone))
    error_message = "An IANA time zone, such as America/New_York, or UTC."
  }
}

variable "schedules_enabled" {
  description = "False pauses every schedule and silences the composite alarm: for the first apply, a migration that must not be met, a back-out."
  type        = bool
  default     = true
}

variable "disabled_jobs" {
  description = "Names of local.schedules that are not started from here, because they run elsewhere or this clinic does not need them."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.disabled_jobs : contains(keys(local.schedules), name)])
    error_message = "Only names of local.schedules, as in schedules.tf."
  }
}

variable "unwatched_jobs" {
  description = "Names of local.schedules without an alarm: jobs that this clinic does not use at all. One that merely runs elsewhere is still watched."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.unwatched_jobs : contains(keys(local.schedules), name)])
    error_message = "Only names of local.schedules, as in schedules.tf."
  }
}

variable "flexible_window_minutes" {
  description = "A schedule fires at most so many minutes late, so that tasks do not all start in one second; 0 is on time. health is always on time."
  type        = number
  default     = 1

  validation {
    condition     = var.flexible_window_minutes >= 0 && var.flexible_window_minutes <= 4
    error_message = "0 to 4: some jobs run every five minutes."
  }
}

variable "vpc_id" {
  description = "The VPC of the tasks."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of the tasks: private ones with a way to the internet (NAT), in at least two zones."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "At least one subnet."
  }
}

variable "assign_public_ip" {
  description = "True only where the subnets have an internet gateway and no NAT."
  type        = bool
  default     = false
}

variable "database_security_groups" {
  description = "Security groups that tasks may connect to, such as { database = \"sg-...\" }. They must let the group in output security_group_id in."
  type        = map(string)
  default     = {}
}

variable "database_cidr_blocks" {
  description = "Where the database is, if it has no security group in reach."
  type        = set(string)
  default     = []
}

variable "database_port" {
  description = "The port of the database or its pooler."
  type        = number
  default     = 5432
}

variable "database_url_secret_arns" {
  description = "The Secrets Manager secret of each role (`rounds grants --apply`) that holds its DATABASE_URL: by the name of the job, and watch for health. With :KEY:: behind it, one key of a JSON secret."
  type        = map(string)

  validation {
    condition = alltrue([
      for arn in values(var.database_url_secret_arns) : can(regex("^arn:[^:]+:secretsmanager:[^:]+:[0-9]{12}:secret:[^:]+", arn))
    ])
    error_message = "The full ARN of a Secrets Manager secret."
  }

  validation {
    condition = alltrue([
      for name, job in local.schedules :
      contains(keys(var.database_url_secret_arns), job.command[0] == "health" ? "watch" : job.command[0])
      if length(job.secrets) == 1
    ])
    error_message = "A secret for each job of schedules.tf, by its name (mark-no-shows, ...), and one for watch; for sync-practiceq with its key."
  }
}

variable "migrate_database_url_secret_arn" {
  description = "The same for the role that owns the schema, for `rounds migrate` alone: a direct connection, past any pooler. It is no job's."
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:secretsmanager:[^:]+:[0-9]{12}:secret:[^:]+", var.migrate_database_url_secret_arn))
    error_message = "The full ARN of a Secrets Manager secret."
  }

  validation {
    condition     = !contains(values(var.database_url_secret_arns), var.migrate_database_url_secret_arn)
    error_message = "The owner of the schema has a secret of its own: no job may have its password."
  }
}

# An object, because which jobs there are must be known before the secret is made.
variable "practiceq_key_secret" {
  description = "The secret that holds the key of the IntakeQ/PracticeQ account, as { arn = \"...\" }. Null: there are no jobs that need it."
  type        = object({ arn = string })
  default     = null
}

variable "twilio_token_secret" {
  description = "The secret that holds the auth token of the Twilio account, or the secret of its API key, as { arn = \"...\" }. Null: no SMS is sent."
  type        = object({ arn = string })
  default     = null
}

variable "smtp_password_secret" {
  description = "The secret that holds the password of the mail account, as { arn = \"...\" }. Null: no e-mail is sent."
  type        = object({ arn = string })
  default     = null
}

variable "webhook_endpoints_secret" {
  description = "The secret that holds the endpoints of webhooks, the text of a TOML file, as { arn = \"...\" }. Null: no webhook is sent."
  type        = object({ arn = string })
  default     = null
}

variable "secret_kms_key_arns" {
  description = "Keys of one's own that the secrets are encrypted with."
  type        = set(string)
  default     = []
}

variable "job_environment" {
  description = "Further ROUNDS_ variables of every task, such as { ROUNDS_KEEP = \"400d\" }. No secrets: they would be in the state."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.job_environment) : startswith(name, "ROUNDS_") && !can(regex("_(KEY|TOKEN|PASSWORD|ENDPOINTS)$", name))])
    error_message = "Only ROUNDS_ variables that are no secret."
  }
}

variable "task_role_arn" {
  description = "The role of the program itself. It needs none, but for `refresh-npi` with ROUNDS_NPPES_ARCHIVE=s3://..."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "How long logs are kept; 400 is as long as the run history."
  type        = number
  default     = 400
}

variable "alert_emails" {
  description = "Who is told when the composite alarm rings. Each address gets a message to confirm first."
  type        = set(string)
  default     = []
}

variable "runbook_url" {
  description = "Where docs/operating.md is, with what this clinic added to it: the alarm links it."
  type        = string

  validation {
    condition     = can(regex("^https://", var.runbook_url))
    error_message = "An https:// address: it is read at 3 a.m. on a phone."
  }
}

variable "tags" {
  description = "Tags of everything that can have some."
  type        = map(string)
  default     = {}
}
