//! What a reader sees of visits, waits, alerts, cases and tickets.

use super::section::Section;
use super::view::{Bar, Bars, Kind, Lines, Plot, Series, Table, Tone, View};
use super::visits::{NoShows, Share, Wait, Waits};
use super::words::{change, grouped, many, percent, percent_of, plain, wait, wait_of};
use super::work::{AlertCounts, Alerts, Pile, Queue};

/// The levels of a case, and the priorities of a ticket: in the database and for people.
pub const LEVELS: [(&str, &str); 4] = [("0", "not escalated"), ("1", "level 1"), ("2", "level 2"), ("3", "level 3")];
pub const PRIORITIES: [(&str, &str); 4] =
    [("URGENT", "urgent"), ("HIGH", "high"), ("MEDIUM", "medium"), ("LOW", "low")];

/// The most doctors of a plot, and of a table.
const DOCTORS_DRAWN: usize = 15;
const DOCTORS_LISTED: usize = 100;

pub fn no_shows(now: &Section<NoShows>, before: Option<&Section<NoShows>>) -> View {
    let source = "appointments of source LOCAL whose status says whether the patient came (CHECKED_IN, IN_PROGRESS, \
                  COMPLETED, NO_SHOW), by the booked day and time on the facility's clock.";
    let view = View::new("no-shows", "No-shows", source);
    let Some(now) = now.told() else { return view.absent(now.absent().unwrap_or_default()) };
    let before = before.and_then(Section::told);
    if now.total.visits == 0 {
        return view.absent("No visit of that time is over.");
    }
    let mut plots = vec![
        shares("By day of the week", "weekday", &now.by_weekday, before.map(|before| &before.by_weekday[..])),
        shares("By hour of the booked start", "hour", &now.by_hour, before.map(|before| &before.by_hour[..])),
        shares("By doctor", "doctor", &now.by_doctor, before.map(|before| &before.by_doctor[..])),
    ];
    let doctors = now.by_doctor.len();
    if doctors > DOCTORS_DRAWN {
        plots[2].description = format!("The {DOCTORS_DRAWN} doctors with the most visits, of {doctors}.");
    }
    let sentence = format!("{}.", no_shows_words(&now.total, before.map(|before| &before.total)));
    View { sentences: vec![sentence], plots, ..view }
}

/// The no-shows in a sentence without its end.
pub fn no_shows_words(now: &Share, before: Option<&Share>) -> String {
    let rate = now.rate().unwrap_or_default();
    let was = before.and_then(Share::rate).map_or(String::new(), |was| format!(", {}", change(rate, was)));
    let of = many(now.visits, "visit", "visits");
    format!("{} among {of}, {}{was}", many(now.no_shows, "no-show", "no-shows"), percent(rate))
}

fn shares(title: &str, what: &str, now: &[Share], before: Option<&[Share]>) -> Plot {
    let was = |share: &Share| before?.iter().find(|was| was.of == share.of)?.rate();
    let bar = |share: &Share| Bar {
        before: was(share),
        ..Bar::new(
            &share.of,
            share.rate().unwrap_or_default(),
            format!("{}, n {}", percent(share.rate().unwrap_or_default()), grouped(share.visits)),
        )
    };
    let row = |share: &Share| {
        vec![share.of.clone(), grouped(share.visits), grouped(share.no_shows), percent_of(share.rate())]
    };
    let bars = now.iter().take(DOCTORS_DRAWN.max(24 * usize::from(what == "hour"))).map(bar).collect();
    let listed = &now[..now.len().min(DOCTORS_LISTED)];
    let rates = before.map(|_| listed.iter().map(|share| percent_of(was(share))).collect());
    let table = Table::new("", &[what, "visits", "no-shows", "rate"], listed.iter().map(row).collect());
    Plot {
        title: title.to_owned(),
        description: "The share of visits that were missed; n is the number of visits.".to_owned(),
        kind: Kind::Bars(Bars { bars, limit: None, legend: before_legend(before.is_some()) }),
        table: table.and_before("rate before", rates),
        in_text: true,
    }
}

/// What the mark of the period before is.
pub fn before_legend(is_compared: bool) -> Vec<(Tone, String)> {
    if is_compared { vec![(Tone::Ink, "the period before".to_owned())] } else { vec![] }
}

pub fn waits(now: &Section<Waits>, before: Option<&Section<Waits>>) -> View {
    let source = "appointments.checked_in_at and vitals_recorded_at of source LOCAL, by the facility's clock. No column has \
                  the instant at which the doctor came: of visits with a NO_DOCTOR or WAITING_TOO_LONG alert it is when a run \
                  saw that, so up to five minutes late, and of those that waited long alone.";
    let view = View::new("waits", "Waits", source);
    let Some(now) = now.told() else { return view.absent(now.absent().unwrap_or_default()) };
    if now.total.arrivals == 0 {
        return view.absent("Nobody arrived in that time.");
    }
    let before = before.and_then(Section::told);
    let mut plots = vec![];
    if now.total.vitals.n > 0 {
        plots.push(wait_plot("From arrival to vitals", &now.by_hour, |wait| wait.vitals));
    }
    if now.total.doctor.n > 0 {
        plots.push(wait_plot("From arrival to the doctor, of visits with an alert", &now.by_hour, |wait| wait.doctor));
    }
    let mut sentences = vec![format!("{}.", waits_words(&now.total))];
    if let Some(before) = before.filter(|before| before.total.vitals.n > 0) {
        sentences.push(format!("Before: {}.", waits_words(&before.total)));
    }
    View { sentences, plots, ..view }
}

/// The waits in a sentence without its end.
pub fn waits_words(total: &Wait) -> String {
    let arrivals = many(total.arrivals, "arrival", "arrivals");
    match (total.vitals.median_seconds, total.vitals.p90_seconds) {
        (Some(median), Some(p90)) => format!(
            "{} from arrival to vitals (median), one in ten longer than {}; {arrivals}",
            wait(median),
            wait(p90)
        ),
        _ => format!("{arrivals}, and no vitals recorded"),
    }
}

fn wait_plot(title: &str, hours: &[Wait], of: fn(&Wait) -> super::visits::Spans) -> Plot {
    let hours: Vec<&Wait> = hours.iter().filter(|hour| of(hour).n > 0).collect();
    let series = |name: &str, tone, value: fn(super::visits::Spans) -> Option<f64>| Series {
        name: name.to_owned(),
        tone,
        values: hours.iter().map(|hour| Some(value(of(hour))? / 60.0)).collect(),
    };
    let row = |hour: &&Wait| {
        let spans = of(hour);
        vec![hour.hour.clone(), grouped(spans.n), wait_of(spans.median_seconds), wait_of(spans.p90_seconds)]
    };
    let n: i64 = hours.iter().map(|hour| of(hour).n).sum();
    Plot {
        title: title.to_owned(),
        description: format!("By hour of arrival; n {}.", grouped(n)),
        kind: Kind::Lines(Lines {
            points: hours.iter().map(|hour| hour.hour.clone()).collect(),
            series: vec![
                series("one in ten longer", Tone::Light, |spans| spans.p90_seconds),
                series("median", Tone::Main, |spans| spans.median_seconds),
            ],
            value: minutes,
        }),
        table: Table::new("", &["arrival", "n", "median", "90th percentile"], hours.iter().map(row).collect()),
        in_text: true,
    }
}

/// Minutes on an axis.
fn minutes(minutes: f64) -> String {
    format!("{} min", (minutes * 10.0).round() / 10.0)
}

pub fn alerts(now: &Section<Alerts>, before: Option<&Section<Alerts>>) -> View {
    let source = "stage_alerts, by the instant at which each was raised. One that a run resolved before anybody acknowledged it \
                  is in no time to acknowledge.";
    let view = View::new("alerts", "Alerts", source);
    let Some(now) = now.told() else { return view.absent(now.absent().unwrap_or_default()) };
    let before = before.and_then(Section::told);
    if now.total.raised == 0 {
        return view.absent("No alert was raised in that time.");
    }
    let was = |of: &AlertCounts| before?.by_type.iter().find(|was| was.alert_type == of.alert_type);
    let raised_before = before
        .map(|_| now.by_type.iter().map(|of| was(of).map_or("0".to_owned(), |was| grouped(was.raised))).collect());
    let row = |of: &AlertCounts| {
        let spans = of.to_acknowledge;
        let counts = [of.raised, of.acknowledged, of.resolved, of.open].map(grouped);
        let spans = [wait_of(spans.median_seconds), wait_of(spans.p90_seconds)];
        [plain(&of.alert_type)].into_iter().chain(counts).chain(spans).collect()
    };
    let columns = ["type", "raised", "acknowledged", "resolved", "open", "median", "90th percentile"];
    let table = Table::new("", &columns, now.by_type.iter().map(row).collect());
    let raised = now.by_type.iter().map(|of| Bar {
        before: was(of).map(|was| was.raised as f64),
        bad: of.open as f64,
        ..Bar::new(plain(&of.alert_type), of.raised as f64, open_words(of.raised, of.open, "open"))
    });
    let mut legend = vec![(Tone::Main, "resolved".to_owned()), (Tone::Bad, "open".to_owned())];
    legend.extend(before_legend(before.is_some()));
    let mut plots = vec![Plot {
        title: "By type".to_owned(),
        description: "The alerts that were raised.".to_owned(),
        kind: Kind::Bars(Bars { bars: raised.collect(), limit: None, legend }),
        table: table.and_before("raised before", raised_before),
        in_text: true,
    }];
    plots.extend(time_to_acknowledge(&now.by_type));
    View { sentences: vec![format!("{}.", alerts_words(&now.total))], plots, ..view }
}

/// The alerts in a sentence without its end.
pub fn alerts_words(total: &AlertCounts) -> String {
    let raised = many(total.raised, "alert", "alerts");
    let open = if total.open > 0 { format!("; {} still open", grouped(total.open)) } else { String::new() };
    match total.to_acknowledge.median_seconds {
        Some(median) => {
            format!("{raised}, {} acknowledged after {} (median){open}", grouped(total.acknowledged), wait(median))
        }
        None => format!("{raised}, none acknowledged by a person{open}"),
    }
}

fn time_to_acknowledge(types: &[AlertCounts]) -> Option<Plot> {
    let some: Vec<(&AlertCounts, f64)> =
        types.iter().filter_map(|of| Some((of, of.to_acknowledge.median_seconds?))).collect();
    let bar = |(of, median): &(&AlertCounts, f64)| {
        Bar::new(plain(&of.alert_type), *median, format!("{}, n {}", wait(*median), grouped(of.acknowledged)))
    };
    let row = |(of, median): &(&AlertCounts, f64)| {
        let p90 = wait_of(of.to_acknowledge.p90_seconds);
        vec![plain(&of.alert_type), grouped(of.acknowledged), wait(*median), p90]
    };
    (!some.is_empty()).then(|| Plot {
        title: "Time to acknowledge".to_owned(),
        description: "The median until a person acknowledged an alert; n is how many were.".to_owned(),
        kind: Kind::Bars(Bars { bars: some.iter().map(bar).collect(), limit: None, legend: vec![] }),
        table: Table::new("", &["type", "n", "median", "90th percentile"], some.iter().map(row).collect()),
        in_text: false,
    })
}

pub fn cases_view() -> View {
    View::new(
        "cases",
        "Cases",
        "px_cases that are OPEN, IN_PROGRESS or ESCALATED and not inactive, against due_at, now.",
    )
}

pub fn tickets_view() -> View {
    let source = "tickets that are neither RESOLVED nor CLOSED, now, against their own date, else that of their SLA, else the \
                  policy in force for their priority.";
    View::new("tickets", "Tickets", source)
}

/// The section of cases or of tickets.
pub fn queue(view: View, queue: &Section<Queue>) -> View {
    let Some(queue) = queue.told() else { return view.absent(queue.absent().unwrap_or_default()) };
    if queue.open == 0 {
        return view.absent("None is open.");
    }
    let sentences = vec![format!("{} open, {} past the due time.", grouped(queue.open), grouped(queue.overdue))];
    let by = if view.id == "cases" { "By escalation level" } else { "By priority" };
    View { sentences, plots: vec![piles("By age", "age", &queue.by_age), piles(by, "level", &queue.by_level)], ..view }
}

fn piles(title: &str, what: &str, piles: &[Pile]) -> Plot {
    let bar = |pile: &Pile| Bar {
        bad: pile.overdue as f64,
        ..Bar::new(&pile.of, pile.open as f64, open_words(pile.open, pile.overdue, "late"))
    };
    let row = |pile: &Pile| vec![pile.of.clone(), grouped(pile.open), grouped(pile.overdue)];
    Plot {
        title: title.to_owned(),
        description: "What is open now.".to_owned(),
        kind: Kind::Bars(Bars {
            bars: piles.iter().map(bar).collect(),
            limit: None,
            legend: vec![(Tone::Main, "in time".to_owned()), (Tone::Bad, "past due".to_owned())],
        }),
        table: Table::new("", &[what, "open", "past due"], piles.iter().map(row).collect()),
        in_text: true,
    }
}

/// A number, and the part of it that is bad: "12, 3 late".
fn open_words(all: i64, bad: i64, word: &str) -> String {
    if bad > 0 { format!("{}, {} {word}", grouped(all), grouped(bad)) } else { grouped(all) }
}
