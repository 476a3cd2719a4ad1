-- A visit that is stuck between check-in and doctor. One alert per visit and type, ever.
-- The alert of a deleted visit is resolved by the next run.
CREATE TABLE stage_alerts (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    appointment_id  text NOT NULL,
    alert_type      text NOT NULL CHECK (alert_type IN ('NO_VITALS', 'NO_DOCTOR', 'WAITING_TOO_LONG')),
    status          text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'ACKNOWLEDGED', 'RESOLVED')),
    message         text NOT NULL,                -- as staff read it: names the patient
    triggered_at    timestamptz NOT NULL,
    acknowledged_by text,
    acknowledged_at timestamptz,
    resolved_by     text,      -- NULL on a resolved one: the job saw that its cause was gone
    resolved_at     timestamptz,
    resolution_notes text,                        -- free text of whoever resolved it
    run_id          uuid,                         -- of the run that raised it
    resolved_run_id uuid,                         -- of the run that saw that its cause was gone
    UNIQUE (appointment_id, alert_type),
    CHECK (status <> 'ACKNOWLEDGED' OR acknowledged_at IS NOT NULL),
    CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL)),
    CHECK ((status = 'RESOLVED') = (resolved_at IS NOT NULL)),
    CHECK (resolved_by IS NULL OR resolved_at IS NOT NULL)
);
CREATE INDEX stage_alerts_open ON stage_alerts (appointment_id) WHERE status IN ('ACTIVE', 'ACKNOWLEDGED');
CREATE INDEX stage_alerts_run ON stage_alerts (run_id);
