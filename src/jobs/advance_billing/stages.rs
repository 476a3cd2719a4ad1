//! `rounds advance-billing` without `--stage`: it moves nothing, and says which stages there are and what each would do
//! now.

use serde_json::{Value, json};

use super::AdvanceBilling;
use super::outlook::Outlook;
use super::stage::{JOB, Stage};
use crate::clinic::facility;
use crate::command::{CommandContext, Mode, Operation, Output, listing};
use crate::error::{Error, ErrorKind};
use crate::exit::Exit;
use crate::run::JobArgs;

const CODE: &str = "STAGE_REQUIRED";
const MESSAGE: &str =
    "--stage is required, pending-payment or paid: there is no default that moves money; nothing was changed";

/// The job with the options that were given.
pub struct Stages {
    job: AdvanceBilling,
    max_items: Option<u32>,
}

impl Mode for Stages {
    type Job = AdvanceBilling;

    fn of(args: Box<JobArgs<AdvanceBilling>>) -> Result<Self, Box<JobArgs<AdvanceBilling>>> {
        match args.job.selects_nothing() {
            true => Ok(Self { job: args.job, max_items: args.run.max_items }),
            false => Err(args),
        }
    }
}

impl Operation for Stages {
    const NAME: &'static str = JOB;

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let confirmed = self.job.confirm_items.or(self.max_items);
        let stages = context
            .read(async |tx, now| {
                let facility = match &self.job.only.facility {
                    Some(id) => Some(facility::known(tx, id).await?),
                    None => None,
                };
                let mut stages = vec![];
                for stage in Stage::ALL {
                    stages.push((
                        stage,
                        Outlook::of(tx, now, stage, self.job.min_dwell, confirmed, facility.as_ref()).await?,
                    ));
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
        Ok(Output::new(Exit::Usage, json, text))
    }

    fn describe_error(&self, error: Error) -> Error {
        let message = format!("{MESSAGE}. What each would do now cannot be said: {} [{}]", error.message, error.code);
        Error::new(CODE, ErrorKind::Refused, message)
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
    let unasked = if outlook.exceeds_limit(0) { "no: at most" } else { "up to" };
    vec![
        stage.name().to_owned(),
        format!("{} -> {}", outlook.step.from, outlook.step.to),
        outlook.due.to_string(),
        outlook.worth.to_string(),
        outlook.held_back.to_string(),
        format!("{unasked} {}", outlook.limit),
    ]
}
