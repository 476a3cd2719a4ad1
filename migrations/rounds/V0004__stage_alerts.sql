-- A visit that is stuck between check-in and doctor. One alert per visit and type, ever.
-- The alert of a deleted visit is resolved by the next run.
CREATE TABLE stage_alerts (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    appointment_id  text NOT NULL,
    alert_type      text NOT NULL CHECK (alert_type IN ('NO_VITALS', 'NO_DOCTOR', 'WAITING_TOO_LONG')),
    status          text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'ACKNOWLEDGED', 'RESOLVED')),
    message         text NOT NULL,
    triggered_at    timestamptz NOT NULL,
    acknowledged_by text,
    acknowledged_at timestamptz,
    resolved_by     text,
    resolved_at     timestamptz,
    resolution_notes text,
    run_id          uuid,
    resolved_run_id uuid,
    UNIQUE (appointment_id, alert_type),
    CHECK (status <> 'ACKNOWLEDGED' OR acknowledged_at IS NOT NULL),
    CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL)),
    CHECK ((status = 'RESOLVED') = (resolved_at IS NOT NULL)),
    CHECK (resolved_by IS NULL OR resolved_at IS NOT NULL)
);
CREATE INDEX stage_alerts_open ON stage_alerts (appointment_id) WHERE status IN ('ACTIVE', 'ACKNOWLEDGED');
CREATE INDEX stage_alerts_run ON stage_alerts (run_id);

COMMENT ON TABLE stage_alerts IS
    'A visit that is stuck between check-in and doctor. One alert for each visit and type, ever. When the visit is '
    'gone, the next run resolves its open alerts.';
COMMENT ON COLUMN stage_alerts.id IS 'The alert''s number, which `rounds alerts` takes.';
COMMENT ON COLUMN stage_alerts.appointment_id IS 'The key of the visit.';
COMMENT ON COLUMN stage_alerts.alert_type IS 'NO_VITALS, NO_DOCTOR or WAITING_TOO_LONG.';
COMMENT ON COLUMN stage_alerts.status IS 'ACTIVE, ACKNOWLEDGED or RESOLVED.';
COMMENT ON COLUMN stage_alerts.message IS 'The text as staff read it: names the patient.';
COMMENT ON COLUMN stage_alerts.triggered_at IS 'When it was raised.';
COMMENT ON COLUMN stage_alerts.acknowledged_by IS 'The key of the user who acknowledged it; NULL: nobody did.';
COMMENT ON COLUMN stage_alerts.acknowledged_at IS 'When it was acknowledged; NULL: it was not.';
COMMENT ON COLUMN stage_alerts.resolved_by IS
    'The key of the user who resolved it; NULL where it is RESOLVED: the job saw that its cause was gone.';
COMMENT ON COLUMN stage_alerts.resolved_at IS 'When it was resolved; NULL unless RESOLVED.';
COMMENT ON COLUMN stage_alerts.resolution_notes IS 'Free text of the user who resolved it; NULL: none.';
COMMENT ON COLUMN stage_alerts.run_id IS 'The run that raised it.';
COMMENT ON COLUMN stage_alerts.resolved_run_id IS 'The run that saw that its cause was gone; NULL: none did.';
