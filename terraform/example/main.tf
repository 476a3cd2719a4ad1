# A clinic's root: what is its own (secrets, image repository) and one call of the module. Keep the state in an encrypted
# backend; there is no secret in it, for the values of the secrets are put there by hand.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80, < 7.0"
    }
  }
}

provider "aws" {
  region = var.region
}

variable "region" {
  description = "Where everything is."
  type        = string
  default     = "us-east-1"
}

variable "environment" {
  description = "Ends every name."
  type        = string
  default     = "prod"
}

variable "image_digest" {
  description = "The digest of the image in the repository, sha256:..."
  type        = string
}

variable "vpc_id" {
  description = "The VPC of the database."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets with NAT."
  type        = list(string)
}

variable "database_security_group_id" {
  description = "The security group of the database."
  type        = string
}

variable "alert_emails" {
  description = "Who is told."
  type        = set(string)
}

variable "schedules_enabled" {
  description = "False until the database is migrated."
  type        = bool
  default     = true
}

# The roles that `rounds grants --apply` makes and a scheduler uses.
locals {
  roles = [
    "mark-no-shows", "stage-alerts", "notify-cancellations", "apply-absences", "flag-schedule-conflicts", "escalate-sla",
    "monitor-ticket-sla", "escalate-tickets", "advance-billing", "refresh-npi", "sync-practiceq",
    "deliver-notifications", "prune", "watch",
  ]
}

# aws secretsmanager put-secret-value --secret-id rounds/prod/database-url/prune --secret-string file:///dev/stdin
resource "aws_secretsmanager_secret" "rounds" {
  # checkov:skip=CKV2_AWS_57:The URL and the key are rotated where they come from: docs/operating.md.
  # checkov:skip=CKV_AWS_149:A key of one's own is a choice: secret_kms_key_arns.
  for_each = merge(
    { for role in local.roles : "database-url/${role}" => "DATABASE_URL of the role rounds_${replace(role, "-", "_")}" },
    {
      migrate-database-url = "DATABASE_URL of the role that owns the schema, past any pooler"
      practiceq-key        = "Key of the IntakeQ/PracticeQ account"
      twilio-token         = "Auth token of the Twilio account"
      smtp-password        = "Password of the mail account"
      webhook-endpoints    = "Endpoints of webhooks: the text of a TOML file"
    },
  )

  name        = "rounds/${var.environment}/${each.key}"
  description = each.value
}

resource "aws_ecr_repository" "rounds" {
  # checkov:skip=CKV_AWS_136:The image holds nothing secret.
  name                 = "rounds"
  image_tag_mutability = "IMMUTABLE"

  image_scanning_configuration {
    scan_on_push = true
  }
}

module "rounds" {
  source = "../"

  environment = var.environment
  # The one place of the schedule zone.
  schedule_zone     = "America/New_York"
  schedules_enabled = var.schedules_enabled

  image                = "${aws_ecr_repository.rounds.repository_url}@${var.image_digest}"
  image_repository_arn = aws_ecr_repository.rounds.arn

  vpc_id                   = var.vpc_id
  subnet_ids               = var.subnet_ids
  database_security_groups = { database = var.database_security_group_id }

  database_url_secret_arns        = { for role in local.roles : role => aws_secretsmanager_secret.rounds["database-url/${role}"].arn }
  migrate_database_url_secret_arn = aws_secretsmanager_secret.rounds["migrate-database-url"].arn
  practiceq_key_secret            = { arn = aws_secretsmanager_secret.rounds["practiceq-key"].arn }
  twilio_token_secret             = { arn = aws_secretsmanager_secret.rounds["twilio-token"].arn }
  smtp_password_secret            = { arn = aws_secretsmanager_secret.rounds["smtp-password"].arn }
  webhook_endpoints_secret        = { arn = aws_secretsmanager_secret.rounds["webhook-endpoints"].arn }

  alert_emails = var.alert_emails
  runbook_url  = "https://wiki.clinic.example/rounds"
}

# The database lets the tasks in.
resource "aws_vpc_security_group_ingress_rule" "database" {
  security_group_id            = var.database_security_group_id
  description                  = "rounds, ${var.environment}"
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
  referenced_security_group_id = module.rounds.security_group_id
}

output "rounds" {
  description = "Names and console links."
  value       = module.rounds
}
