# Rendered by `rounds schedule render`: change the schedule, not this file.
# What runs when. The module makes the task, the schedules, the permissions, the alarm and the place on the dashboard of
# each entry.
#
# The expressions are cron and never rate: a rate counts from the moment of the last apply, not from the clock.
# Fields: minute, hour, day of month, month, day of week, year.
locals {
  schedules = {
    # At night too: one window in one zone would cut off the evening or the morning of clinics in other zones.
    mark-no-shows = {
      command              = ["mark-no-shows"]
      schedule_expressions = ["cron(0/5 * * * ? *)"]
      timezone             = "UTC"
      deadline_seconds     = 240
      secrets              = ["database"]
      cpu                  = 256
      memory_mib           = 64
    }

    # At night too: one window in one zone would cut off the evening or the morning of clinics in other zones.
    stage-alerts = {
      command              = ["stage-alerts"]
      schedule_expressions = ["cron(0/5 * * * ? *)"]
      timezone             = "UTC"
      deadline_seconds     = 240
      secrets              = ["database"]
      cpu                  = 256
      memory_mib           = 64
    }

    notify-cancellations = {
      command              = ["notify-cancellations"]
      schedule_expressions = ["cron(0/2 * * * ? *)"]
      timezone             = "UTC"
      deadline_seconds     = 90
      secrets              = ["database"]
      cpu                  = 256
      memory_mib           = 64
    }

    # At night too: who calls in sick before the morning is the one whose patients must not set out.
    apply-absences = {
      command              = ["apply-absences"]
      schedule_expressions = ["cron(0/2 * * * ? *)"]
      timezone             = "UTC"
      deadline_seconds     = 90
      secrets              = ["database"]
      cpu                  = 256
      memory_mib           = 64
    }

    flag-schedule-conflicts = {
      command              = ["flag-schedule-conflicts"]
      schedule_expressions = ["cron(0/15 * * * ? *)"]
      timezone             = "UTC"
      deadline_seconds     = 600
      secrets              = ["database"]
      cpu                  = 256
      memory_mib           = 64
    }

    escalate-sla = {
      command              = ["escalate-sla"]
      schedule_expressions = ["cron(0/15 * * * ? *)"]
      timezone             = "UTC"
      deadline_seconds     = 600
      secrets              = ["database"]
      cpu                  = 256
      memory_mib           = 64
    }

    monitor-ticket-sla = {
      command              = ["monitor-ticket-sla"]
      schedule_expressions = ["cron(0/15 * * * ? *)"]
      timezone             = "UTC"
      deadline_seconds     = 600
      secrets              = ["database"]
      cpu                  = 256
      memory_mib           = 64
    }

    # Beside the quarters of an hour, at which two other jobs read the same tickets: each skips what another holds.
    escalate-tickets = {
      command              = ["escalate-tickets"]
      schedule_expressions = ["cron(7,37 * * * ? *)"]
      timezone             = "UTC"
      deadline_seconds     = 1200
      secrets              = ["database"]
      cpu                  = 256
      memory_mib           = 64
    }

    # Again each hour, 4 times, so that a run that failed is not lost until the next slot.
    # After a success the job skips.
    advance-billing-pending-payment = {
      command              = ["advance-billing", "--stage", "pending-payment", "--unless-succeeded-within", "6h"]
      schedule_expressions = ["cron(0 8-12 ? * MON *)"]
      timezone             = "UTC"
      deadline_seconds     = 900
      secrets              = ["database"]
      cpu                  = 256
      memory_mib           = 64
    }

    # Again each hour, 4 times, so that a run that failed is not lost until the next slot.
    # After a success the job skips.
    advance-billing-paid = {
      command              = ["advance-billing", "--stage", "paid", "--unless-succeeded-within", "6h"]
      schedule_expressions = ["cron(0 8-12 ? * THU *)"]
      timezone             = "UTC"
      deadline_seconds     = 900
      secrets              = ["database"]
      cpu                  = 256
      memory_mib           = 64
    }

    # Again each hour, 4 times, so that a run that failed is not lost until the next slot.
    # After a success the job skips.
    refresh-npi = {
      command              = ["refresh-npi", "--unless-succeeded-within", "6h"]
      schedule_expressions = ["cron(0 8-12 ? * TUE *)"]
      timezone             = "UTC"
      deadline_seconds     = 1800
      secrets              = ["database"]
      cpu                  = 1024
      memory_mib           = 128
    }

    # The zone is that of the account, wherever the clinic is.
    # Again each hour, 4 times, so that a run that failed is not lost until the next slot.
    # After a success the job skips.
    sync-practiceq-full = {
      command              = ["sync-practiceq", "--unless-succeeded-within", "6h"]
      schedule_expressions = ["cron(0 3-7 * * ? *)"]
      timezone             = "America/Denver"
      deadline_seconds     = 3600
      secrets              = ["database", "practiceq-key"]
      cpu                  = 256
      memory_mib           = 64
    }

    # The zone is that of the account, wherever the clinic is.
    sync-practiceq-incremental = {
      command              = ["sync-practiceq", "--incremental"]
      schedule_expressions = ["cron(0/15 6-19 * * ? *)", "cron(0 20 * * ? *)"]
      timezone             = "America/Denver"
      deadline_seconds     = 600
      secrets              = ["database", "practiceq-key"]
      cpu                  = 256
      memory_mib           = 64
    }

    deliver-notifications-sms = {
      command              = ["deliver-notifications", "--channel", "sms"]
      schedule_expressions = ["cron(* * * * ? *)"]
      timezone             = "UTC"
      deadline_seconds     = 240
      secrets              = ["database", "twilio-token"]
      cpu                  = 256
      memory_mib           = 64
    }

    deliver-notifications-email = {
      command              = ["deliver-notifications", "--channel", "email"]
      schedule_expressions = ["cron(* * * * ? *)"]
      timezone             = "UTC"
      deadline_seconds     = 240
      secrets              = ["database", "smtp-password"]
      cpu                  = 256
      memory_mib           = 64
    }

    deliver-notifications-webhook = {
      command              = ["deliver-notifications", "--channel", "webhook"]
      schedule_expressions = ["cron(* * * * ? *)"]
      timezone             = "UTC"
      deadline_seconds     = 240
      secrets              = ["database", "webhook-endpoints"]
      cpu                  = 256
      memory_mib           = 64
    }

    # Again each hour, 4 times, so that a run that failed is not lost until the next slot.
    # After a success the job skips.
    prune = {
      command              = ["prune", "--unless-succeeded-within", "6h"]
      schedule_expressions = ["cron(30 4-8 * * ? *)"]
      timezone             = var.schedule_zone
      deadline_seconds     = 1800
      secrets              = ["database"]
      cpu                  = 256
      memory_mib           = 64
    }

    # Publishes the health of every job, also of one that never started.
    health = {
      command              = ["health", "--metrics", "emf"]
      schedule_expressions = ["cron(0/5 * * * ? *)"]
      timezone             = "UTC"
      deadline_seconds     = 30
      secrets              = ["database"]
      cpu                  = 256
      memory_mib           = 64
    }

    # Does something only where whoever should have started the job did not.
    mark-no-shows-backup = {
      command              = ["mark-no-shows", "--source", "external", "--unless-succeeded-within", "10m"]
      schedule_expressions = ["cron(0/5 * * * ? *)"]
      timezone             = "UTC"
      deadline_seconds     = 240
      secrets              = ["database"]
      cpu                  = 256
      memory_mib           = 64
    }

    # Does something only where whoever should have started the job did not.
    stage-alerts-backup = {
      command              = ["stage-alerts", "--source", "external", "--unless-succeeded-within", "10m"]
      schedule_expressions = ["cron(0/5 * * * ? *)"]
      timezone             = "UTC"
      deadline_seconds     = 240
      secrets              = ["database"]
      cpu                  = 256
      memory_mib           = 64
    }
  }

  # A schedule of one's own, which every task reads: there is none.
  schedule_environment = {}
}
