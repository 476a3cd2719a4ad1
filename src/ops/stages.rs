//! `rounds advance-billing` without `--stage`: it moves nothing, and says which stages there are and what each would do now.

use serde_json::{Value, json};

use super::{Answer, Desk, Operation, listing};
use crate::exit::Exit;
use crate::jobs::advance_billing::{AdvanceBilling, Outlook, Stage};
use crate::redact::{Class, Failure};

const CODE: &str = "STAGE_REQUIRED";
const MESSAGE: &str =
    "--stage is required, pending-payment or paid: there is no default that moves money; nothing was changed";

/// The job as it was asked for.
pub struct Stages {
    pub job: AdvanceBilling,
}

impl Operation for Stages {
    const NAME: &'static str = "advance-billing";

    async fn perform(&self, desk: &Desk<'_>) -> Result<Answer, Failure> {
        let confirmed = self.job.confirm_items.or(desk.run.max_items);
        let stages = desk
            .read(async |tx, now| {
                let mut stages = vec![];
                for stage in Stage::ALL {
                    stages.push((stage, self.job.outlook(tx, now, stage, confirmed).await?));
                }
                Ok(stages)
            })
            .await?;
        let json = json!({
            "ok": false,
            "error_code": CODE,
            "error_message": MESSAGE,
            "stages": stages.iter().map(shape).collect::<Vec<_>>(),
        });
        let names = ["stage", "step", "due now", "worth", "held back", "moves unasked"];
        let rows: Vec<_> = stages.iter().map(row).collect();
        let text = format!("{MESSAGE}.\n{}", listing(&names, &rows, ""));
        Ok(Answer::new(Exit::Usage, json, text))
    }

    fn unanswered(&self, failure: Failure) -> Failure {
        let message =
            format!("{MESSAGE}. What each would do now cannot be said: {} [{}]", failure.message, failure.code);
        Failure::new(CODE, Class::Configuration, message)
    }
}

fn shape((stage, outlook): &(Stage, Outlook)) -> Value {
    json!({
        "stage": stage.name(),
        "from_status": outlook.step.from,
        "to_status": outlook.step.to,
        "due": outlook.due,
        "worth": outlook.worth,
        "held_back": outlook.held_back,
        "moves_unasked_max": outlook.limit,
    })
}

fn row((stage, outlook): &(Stage, Outlook)) -> Vec<String> {
    let unasked = if outlook.is_too_much() { "no: at most" } else { "up to" };
    vec![
        stage.name().to_owned(),
        format!("{} -> {}", outlook.step.from, outlook.step.to),
        outlook.due.to_string(),
        outlook.worth.to_string(),
        outlook.held_back.to_string(),
        format!("{unasked} {}", outlook.limit),
    ]
}
