//! The messages that jobs stage: what each is about, and what its texts may fill in.
//!
//! A message has a type, which is a column of the outbox. Where the texts of a type differ by more than their
//! placeholders, it has forms: the placeholders of its row name one by `form`. Each type and form is one entry here, and
//! has a file of `templates/` for each channel with a text. In-app rows have title and body at once, and webhooks have
//! no text.

/// What a placeholder is. It decides where it may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A key or a number of a thing.
    Id,
    /// A word of a fixed list.
    Code,
    /// A date or a time, by the facility's clock.
    Moment,
    Count,
    /// A text of the clinic's own rule, or of an error.
    Words,
    /// It names a person, a doctor or a service: in the application alone.
    Name,
}

/// What a message is about, as far as that can be over: then it is moot, and not sent any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A visit, as long as it is NO_SHOW.
    MissedVisit,
    /// A visit, as long as it is CANCELLED.
    CancelledVisit,
    /// An alert of this type of a visit, as long as it is open.
    Alert(&'static str),
    /// A visit that does not fit the hours of its doctor, as long as its flag is open.
    ScheduleConflict,
    /// A ticket, as long as it is open.
    Ticket,
    /// A case, as long as it is open.
    Case,
    /// It is told whatever became of it since.
    Event,
}

pub struct MessageType {
    /// The type, as the outbox has it.
    pub kind: &'static str,
    /// The form, where the type has several.
    pub form: Option<&'static str>,
    pub placeholders: &'static [(&'static str, Class)],
    pub cause: Cause,
    /// Its files of `templates/`, by channel, with their texts.
    pub files: &'static [(&'static str, &'static str)],
}

impl MessageType {
    /// The name of its files, without channel and format.
    pub fn stem(&self) -> String {
        [Some(self.kind), self.form].into_iter().flatten().map(str::to_ascii_lowercase).collect::<Vec<_>>().join("_")
    }

    /// The name and the text of its template for a channel, where it has one.
    pub fn text(&self, channel: &str) -> Option<(String, &'static str)> {
        let (_, text) = self.files.iter().find(|(of, _)| *of == channel)?;
        Some((file_name(&self.stem(), channel, "txt"), text))
    }
}

/// The name of a template.
pub fn file_name(stem: &str, channel: &str, format: &str) -> String {
    format!("{stem}.{}.{format}", channel.to_ascii_lowercase())
}

/// What the rows of a type are about; a type that is none of ours is an event.
pub fn cause(kind: &str) -> Cause {
    MESSAGES.iter().find(|message| message.kind == kind).map_or(Cause::Event, |message| message.cause)
}

/// The form of the name of an endpoint: one of the configuration, never a URL.
pub const ENDPOINT_FORM: &str =
    "the name of a configured endpoint, such as pager: letters, digits, _ and -, and no URL";

/// Whether a text can be the name of an endpoint.
pub fn is_endpoint(text: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    (1..=64).contains(&text.len())
        && text.chars().all(is_of_name)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

macro_rules! messages {
    ($($kind:literal $($form:literal)? ($($name:ident $class:ident),*) $cause:expr;
       $($channel:literal $file:literal),+;)*) => {
        /// Every message that has a text.
        pub const MESSAGES: &[MessageType] = &[$(
            MessageType {
                kind: $kind,
                form: messages!(@form $($form)?),
                placeholders: &[$((stringify!($name), Class::$class)),*],
                cause: $cause,
                files: &[$(($channel, include_str!(concat!("templates/", $file)))),+],
            },
        )*];
    };
    (@form) => { None };
    (@form $form:literal) => { Some($form) };
}

messages! {
    "MISSED_APPOINTMENT" (appointment_id Id, start Moment, day Moment, doctor Name) Cause::MissedVisit;
        "SMS" "missed_appointment.sms.txt";
    // A person has marked a visit that had not begun.
    "MISSED_APPOINTMENT" "AHEAD" (appointment_id Id, start Moment, day Moment, doctor Name) Cause::MissedVisit;
        "SMS" "missed_appointment_ahead.sms.txt";
    "STAGE_ALERT_NO_VITALS" (appointment_id Id, checked_in_at Moment, minutes Count, patient Name)
        Cause::Alert("NO_VITALS");
        "EMAIL" "stage_alert_no_vitals.email.txt";
    "STAGE_ALERT_NO_DOCTOR" (appointment_id Id, checked_in_at Moment, minutes Count, patient Name)
        Cause::Alert("NO_DOCTOR");
        "EMAIL" "stage_alert_no_doctor.email.txt";
    "STAGE_ALERT_WAITING_TOO_LONG" (appointment_id Id, checked_in_at Moment, minutes Count, patient Name)
        Cause::Alert("WAITING_TOO_LONG");
        "EMAIL" "stage_alert_waiting_too_long.email.txt";
    "VISIT_CANCELLED" (appointment_id Id, start Moment, day Moment, patient Name, doctor Name) Cause::CancelledVisit;
        "EMAIL" "visit_cancelled.email.txt";
    // At most 24 hours before its start.
    "VISIT_CANCELLED" "LAST_MINUTE" (appointment_id Id, start Moment, day Moment, patient Name, doctor Name)
        Cause::CancelledVisit;
        "EMAIL" "visit_cancelled_last_minute.email.txt";
    "SCHEDULE_CHANGE" (appointment_id Id, weekday Moment, start Moment, doctor Name) Cause::ScheduleConflict;
        "SMS" "schedule_change.sms.txt";
    "SCHEDULE_CONFLICTS" (warning Words, visits Id) Cause::Event;
        "EMAIL" "schedule_conflicts.email.txt";
    "DOCTOR_UNAVAILABLE" (appointment_id Id, day Moment, start Moment, doctor Name) Cause::CancelledVisit;
        "SMS" "doctor_unavailable.sms.txt";
    // To the desk: the patient is in the building.
    "DOCTOR_UNAVAILABLE_CHECKED_IN" (appointment_id Id, day Moment, start Moment, patient Name, doctor Name)
        Cause::CancelledVisit;
        "EMAIL" "doctor_unavailable_checked_in.email.txt";
    "ABSENCE_VISITS_KEPT" (absence_id Id, visits Count, doctor Name) Cause::Event;
        "EMAIL" "absence_visits_kept.email.txt";
    "ABSENCE_VISITS_CANCELLED" (absence_id Id, visits Count, doctor Name) Cause::Event;
        "EMAIL" "absence_visits_cancelled.email.txt";
    "TICKET_SLA_BREACHED" (ticket_id Id, ticket Id, risk Code) Cause::Ticket;
        "EMAIL" "ticket_sla_breached.email.txt";
    "TICKET_SLA_AT_RISK" (ticket_id Id, ticket Id, risk Code) Cause::Ticket;
        "EMAIL" "ticket_sla_at_risk.email.txt";
    "TICKET_ESCALATED" (ticket_id Id, ticket Id, rule_id Id, message Words) Cause::Ticket;
        "EMAIL" "ticket_escalated.email.txt";
    // The rule's action send_email, which has a subject of its own.
    "TICKET_ESCALATED" "BY_RULE" (ticket_id Id, ticket Id, rule_id Id, subject Words, message Words) Cause::Ticket;
        "EMAIL" "ticket_escalated_by_rule.email.txt";
    "PX_CASE_ESCALATED" (case_id Id, level Count) Cause::Case;
        "EMAIL" "px_case_escalated.email.txt";
    "APPOINTMENT_CHANGED" "TIME" (appointment_id Id, old_time Moment, new_time Moment, patient Name) Cause::Event;
        "EMAIL" "appointment_changed_time.email.txt";
    "APPOINTMENT_CHANGED" "PRACTITIONER" (appointment_id Id, old_time Moment, new_time Moment, patient Name)
        Cause::Event;
        "EMAIL" "appointment_changed_practitioner.email.txt";
    "APPOINTMENT_CHANGED" "LINK" (appointment_id Id, old_time Moment, new_time Moment, patient Name) Cause::Event;
        "EMAIL" "appointment_changed_link.email.txt";
    "APPOINTMENT_CHANGED" "CANCELLED" (appointment_id Id, old_time Moment, new_time Moment, patient Name) Cause::Event;
        "EMAIL" "appointment_changed_cancelled.email.txt";
    "APPOINTMENT_CHANGED" "DELETED" (appointment_id Id, old_time Moment, new_time Moment, patient Name) Cause::Event;
        "EMAIL" "appointment_changed_deleted.email.txt";
    "APPOINTMENT_CHANGED" "REINSTATED" (appointment_id Id, old_time Moment, new_time Moment, patient Name) Cause::Event;
        "EMAIL" "appointment_changed_reinstated.email.txt";
    "SYNC_PATIENTS_FAILED" (patients Count, run Id) Cause::Event;
        "EMAIL" "sync_patients_failed.email.txt";
    "NPI_CHANGED" (providers Count, file Code) Cause::Event;
        "EMAIL" "npi_changed.email.txt";
    "NPI_FILE_AGAIN" (file Code) Cause::Event;
        "EMAIL" "npi_file_again.email.txt";
    "JOB_FAILING" (job Code, failures Count, error Words, error_code Code) Cause::Event;
        "EMAIL" "job_failing.email.txt";
    "JOB_FAILING" "BRAKED" (job Code, failures Count, error Words, error_code Code) Cause::Event;
        "EMAIL" "job_failing_braked.email.txt";
    "JOB_RECOVERED" (job Code, failures Count) Cause::Event;
        "EMAIL" "job_recovered.email.txt";
    "JOB_RECOVERED" "BRAKED" (job Code, failures Count) Cause::Event;
        "EMAIL" "job_recovered_braked.email.txt";
}
