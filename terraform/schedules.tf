# What runs when. A test compares this map with `rounds schedule`, so it holds literals only; the one reference is the
# schedule zone. A job that comes later adds its entry here and nothing else: its task, schedules, permissions, alarm and
# place on the dashboard follow from it.
#
# The expressions are cron and never rate: a rate counts from the moment of the last apply, not from the clock.
# Fields: minute, hour, day of month, month, day of week, year.
locals {
  schedules = {
    mark-no-shows = {
      command              = ["mark-no-shows"]
      schedule_expressions = ["cron(0/5 * * * ? *)"]
      timezone             = "UTC"
      deadline_seconds     = 240
      secrets              = ["database"]
      cpu                  = 256
      memory_mib           = 64
    }

    stage-alerts = {
      command              = ["stage-alerts"]
      schedule_expressions = ["cron(0/5 * * * ? *)"]
      timezone             = "UTC"
      deadline_seconds     = 240
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

    # Beside the quarter hours, at which the other two read the same tickets.
    escalate-tickets = {
      command              = ["escalate-tickets"]
      schedule_expressions = ["cron(7,37 * * * ? *)"]
      timezone             = "UTC"
      deadline_seconds     = 1200
      secrets              = ["database"]
      cpu                  = 256
      memory_mib           = 64
    }

    # Weekly and daily jobs fire again hourly for four hours: an interrupted run is not lost until its next day, and after
    # a success the rest is skipped.
    advance-billing-pending-payment = {
      command              = ["advance-billing", "--stage", "pending-payment", "--unless-succeeded-within", "6h"]
      schedule_expressions = ["cron(0 8-12 ? * MON *)"]
      timezone             = "UTC"
      deadline_seconds     = 900
      secrets              = ["database"]
      cpu                  = 256
      memory_mib           = 64
    }

    advance-billing-paid = {
      command              = ["advance-billing", "--stage", "paid", "--unless-succeeded-within", "6h"]
      schedule_expressions = ["cron(0 8-12 ? * THU *)"]
      timezone             = "UTC"
      deadline_seconds     = 900
      secrets              = ["database"]
      cpu                  = 256
      memory_mib           = 64
    }

    # A first load gives itself up to four hours, and is the only job that needs a processor and a disk.
    refresh-npi = {
      command              = ["refresh-npi", "--unless-succeeded-within", "6h"]
      schedule_expressions = ["cron(0 8-12 ? * TUE *)"]
      timezone             = "UTC"
      deadline_seconds     = 1800
      secrets              = ["database"]
      cpu                  = 1024
      memory_mib           = 128
    }

    sync-practiceq-full = {
      command              = ["sync-practiceq", "--unless-succeeded-within", "6h"]
      schedule_expressions = ["cron(0 3-7 * * ? *)"]
      timezone             = "America/Denver"
      deadline_seconds     = 3600
      secrets              = ["database", "practiceq-key"]
      cpu                  = 256
      memory_mib           = 64
    }

    # 20:00 is the last slot, which one expression cannot say.
    sync-practiceq-incremental = {
      command              = ["sync-practiceq", "--incremental"]
      schedule_expressions = ["cron(0/15 6-19 * * ? *)", "cron(0 20 * * ? *)"]
      timezone             = "America/Denver"
      deadline_seconds     = 600
      secrets              = ["database", "practiceq-key"]
      cpu                  = 256
      memory_mib           = 64
    }

    prune = {
      command              = ["prune", "--unless-succeeded-within", "6h"]
      schedule_expressions = ["cron(30 4-8 * * ? *)"]
      timezone             = var.schedule_zone
      deadline_seconds     = 1800
      secrets              = ["database"]
      cpu                  = 256
      memory_mib           = 64
    }

    # Publishes the health of all jobs, so that one that never started shows too. Every alarm stands on it.
    health = {
      command              = ["health", "--metrics", "emf"]
      schedule_expressions = ["cron(0/5 * * * ? *)"]
      timezone             = "UTC"
      deadline_seconds     = 30
      secrets              = ["database"]
      cpu                  = 256
      memory_mib           = 64
    }

    # The backup trigger: does something only where whoever should have started the job did not. So it is of use where the
    # jobs themselves are started elsewhere (`disabled_jobs`), and costs a skipped run where they are not.
    mark-no-shows-backup = {
      command              = ["mark-no-shows", "--source", "external", "--unless-succeeded-within", "10m"]
      schedule_expressions = ["cron(0/5 * * * ? *)"]
      timezone             = "UTC"
      deadline_seconds     = 240
      secrets              = ["database"]
      cpu                  = 256
      memory_mib           = 64
    }

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
}
