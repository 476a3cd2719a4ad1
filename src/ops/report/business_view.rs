//! What a reader sees of money, messages, requests and the registry.

use super::business::{File, Messages, Money, Moved, Registry, RequestDay, Requests};
use super::clinic_view::before_legend;
use super::section::Section;
use super::view::{Bar, Bars, Kind, Plot, Table, Tone, View};
use super::words::{amount, grouped, many, percent, plain};

/// The states of messages that did not arrive, or may not have.
const TROUBLE: [&str; 3] = ["FAILED", "EXPIRED", "UNCERTAIN"];

pub fn money(now: &Section<Money>, before: Option<&Section<Money>>) -> View {
    let source = "surgical_case_status_history, by the instant of each change, with pay_amount of surgical_cases as it is \
                  now; in the clinic's currency. A case that came to two statuses is in both.";
    let view = View::new("money", "Money", source);
    let Some(now) = now.told() else { return view.absent(now.absent().unwrap_or_default()) };
    if now.by_status.is_empty() {
        return view.absent("No case changed its status in that time.");
    }
    let before = before.and_then(Section::told);
    let was = |of: &Moved| before.map(|before| before.by_status.iter().find(|was| was.status == of.status));
    let bar = |of: &Moved| Bar {
        before: was(of).map(|was| was.map_or(0.0, |was| was.cents as f64)),
        ..Bar::new(&of.status, of.cents as f64, format!("{}, n {}", amount(of.cents), grouped(of.cases)))
    };
    let week = |of: &Moved| {
        let week = of.week.map_or(String::new(), |week| week.format("%-d %b %Y").to_string());
        vec![of.status.clone(), week, grouped(of.cases), amount(of.cents)]
    };
    let plot = Plot {
        title: "By status".to_owned(),
        description: "What the cases are worth that came to a status; n is their number.".to_owned(),
        kind: Kind::Bars(Bars {
            bars: now.by_status.iter().map(bar).collect(),
            limit: None,
            legend: before_legend(before.is_some()),
        }),
        table: Table::new("", &["status", "week of", "cases", "amount"], now.by_week.iter().map(week).collect()),
        in_text: true,
    };
    View { sentences: vec![format!("{}.", money_words(now))], plots: vec![plot, by_week(now)], ..view }
}

/// The money in a sentence without its end.
pub fn money_words(money: &Money) -> String {
    let words =
        |of: &Moved| format!("{} came to {} ({})", amount(of.cents), of.status, many(of.cases, "case", "cases"));
    money.by_status.iter().map(words).collect::<Vec<_>>().join(", ")
}

fn by_week(money: &Money) -> Plot {
    let mut weeks: Vec<(chrono::NaiveDate, i64, i64)> = vec![];
    for of in &money.by_week {
        let Some(week) = of.week else { continue };
        match weeks.iter_mut().find(|(known, ..)| *known == week) {
            Some((_, cents, cases)) => {
                *cents = cents.saturating_add(of.cents);
                *cases += of.cases;
            }
            None => weeks.push((week, of.cents, of.cases)),
        }
    }
    weeks.sort();
    let label = |week: &chrono::NaiveDate| week.format("%-d %b").to_string();
    let bar = |(week, cents, cases): &(_, i64, i64)| {
        Bar::new(label(week), *cents as f64, format!("{}, n {}", amount(*cents), grouped(*cases)))
    };
    let row = |(week, cents, cases): &(_, i64, i64)| vec![label(week), grouped(*cases), amount(*cents)];
    Plot {
        title: "By week".to_owned(),
        description: "All changes of the week that begins on that Monday; n is the number of changes.".to_owned(),
        kind: Kind::Bars(Bars { bars: weeks.iter().map(bar).collect(), limit: None, legend: vec![] }),
        table: Table::new("", &["week of", "changes", "amount"], weeks.iter().map(row).collect()),
        in_text: false,
    }
}

pub fn messages(now: &Section<Vec<Messages>>, before: Option<&Section<Vec<Messages>>>) -> View {
    let view =
        View::new("messages", "Messages", "notifications, by the instant at which each was staged, as they are now.");
    let Some(now) = now.told() else { return view.absent(now.absent().unwrap_or_default()) };
    if now.is_empty() {
        return view.absent("No message was staged in that time.");
    }
    let before = before.and_then(Section::told);
    let was = |of: &Messages| {
        before.map(|before| {
            let is_same = |was: &&Messages| was.channel == of.channel && was.status == of.status;
            before.iter().find(is_same).map_or(0, |was| was.messages)
        })
    };
    let name = |of: &Messages| format!("{} {}", channel(&of.channel), plain(&of.status));
    let bar = |of: &Messages| Bar {
        before: was(of).map(|was| was as f64),
        bad: if TROUBLE.contains(&&*of.status) { of.messages as f64 } else { 0.0 },
        ..Bar::new(name(of), of.messages as f64, grouped(of.messages))
    };
    let row = |of: &Messages| vec![channel(&of.channel), plain(&of.status), grouped(of.messages)];
    let counts_before = before.map(|_| now.iter().map(|of| grouped(was(of).unwrap_or(0))).collect());
    let mut legend = vec![(Tone::Bad, "failed, expired or uncertain".to_owned())];
    legend.extend(before_legend(before.is_some()));
    let table = Table::new("", &["channel", "state", "messages"], now.iter().map(row).collect());
    let plot = Plot {
        title: "By channel and state".to_owned(),
        description: "The messages that were staged.".to_owned(),
        kind: Kind::Bars(Bars { bars: now.iter().map(bar).collect(), limit: None, legend }),
        table: table.and_before("before", counts_before),
        in_text: true,
    };
    View { sentences: vec![format!("{}.", messages_words(now))], plots: vec![plot], ..view }
}

fn channel(code: &str) -> String {
    match code {
        "IN_APP" => "in the app".to_owned(),
        "EMAIL" => "e-mail".to_owned(),
        "WEBHOOK" => "webhook".to_owned(),
        other => other.to_owned(),
    }
}

/// The messages in a sentence without its end.
pub fn messages_words(messages: &[Messages]) -> String {
    let count =
        |is: &dyn Fn(&str) -> bool| -> i64 { messages.iter().filter(|of| is(&of.status)).map(|of| of.messages).sum() };
    let (all, sent) = (count(&|_| true), count(&|status| status == "SENT"));
    let trouble: Vec<String> = TROUBLE
        .into_iter()
        .map(|state| (state, count(&|status| status == state)))
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{} {}", grouped(count), plain(state)))
        .collect();
    let trouble = if trouble.is_empty() { String::new() } else { format!("; {}", trouble.join(", ")) };
    format!("{}, {} sent{trouble}", many(all, "message", "messages"), percent(sent as f64 / all.max(1) as f64))
}

pub fn requests(now: &Section<Requests>) -> View {
    let source = "api_requests, by day of the schedule's clock. rounds prune keeps them for 14 days. The limit is what the last run \
                  of sync-practiceq was told; the account counts the last 24 hours, not a day.";
    let view = View::new("requests", "Requests to the account", source);
    let Some(now) = now.told() else { return view.absent(now.absent().unwrap_or_default()) };
    if now.is_empty() {
        return view.absent("No request was sent in that time.");
    }
    let label = |of: &RequestDay| of.day.format("%-d %b").to_string();
    let number = |of: &RequestDay| match now.per_day_max {
        Some(most) => format!("{} of {}", grouped(of.requests), grouped(most)),
        None => grouped(of.requests),
    };
    let bar = |of: &RequestDay| Bar::new(label(of), of.requests as f64, number(of));
    let row = |of: &RequestDay| {
        let counts = [of.requests, of.by_hand, of.of_events].map(grouped);
        [of.account.clone(), label(of)].into_iter().chain(counts).collect()
    };
    let limit = now.per_day_max.map(|most| most as f64);
    let legend = limit.map(|_| (Tone::Ink, "the limit of a day".to_owned()));
    let plot = Plot {
        title: "By day".to_owned(),
        description: "Requests that were sent, against the limit.".to_owned(),
        kind: Kind::Bars(Bars {
            bars: now.days.iter().map(bar).collect(),
            limit,
            legend: legend.into_iter().collect(),
        }),
        table: Table::new(
            "",
            &["account", "day", "requests", "by a person", "because of an event"],
            now.days.iter().map(row).collect(),
        ),
        in_text: true,
    };
    View { sentences: vec![format!("{}.", requests_words(now))], plots: vec![plot], ..view }
}

/// The requests in a sentence without its end.
pub fn requests_words(requests: &Requests) -> String {
    let all: i64 = requests.days.iter().map(|day| day.requests).sum();
    let Some(most) = requests.days.iter().max_by_key(|day| day.requests) else { return String::new() };
    let limit = requests.per_day_max.map_or(String::new(), |limit| format!(" of {} allowed", grouped(limit)));
    let day = most.day.format("%-d %B");
    format!("{} to the account, at most {}{limit} on {day}", many(all, "request", "requests"), grouped(most.requests))
}

pub fn registry(now: &Section<Registry>) -> View {
    let source = "npi_files: the size is the sum of all providers that files added; the changes are of the files that were \
                  loaded in that time.";
    let view = View::new("registry", "Provider registry", source);
    let Some(now) = now.told() else { return view.absent(now.absent().unwrap_or_default()) };
    if now.up_to.is_none() {
        return view.absent("No file of the registry was loaded yet.");
    }
    let sentences = vec![format!("{}.", registry_words(now))];
    if now.files.is_empty() {
        return View { sentences, ..view };
    }
    let name = |of: &File| format!("{} {}", plain(&of.kind), of.period_end.format("%-d %b"));
    let bar = |of: &File| {
        let changes = of.inserted + of.updated;
        Bar::new(name(of), changes as f64, format!("{} of {}", grouped(changes), grouped(of.rows)))
    };
    let row = |of: &File| {
        let counts = [of.rows, of.inserted, of.updated, of.deactivated, of.rejected].map(grouped);
        [name(of)].into_iter().chain(counts).collect()
    };
    let columns = ["file", "rows", "new", "changed", "deactivated", "rejected"];
    let plot = Plot {
        title: "Changes by file".to_owned(),
        description: "Providers that were new or changed, of the rows of the file.".to_owned(),
        kind: Kind::Bars(Bars { bars: now.files.iter().map(bar).collect(), limit: None, legend: vec![] }),
        table: Table::new("", &columns, now.files.iter().map(row).collect()),
        in_text: true,
    };
    View { sentences, plots: vec![plot], ..view }
}

/// The registry in a sentence without its end.
pub fn registry_words(registry: &Registry) -> String {
    let up_to = registry.up_to.map_or(String::new(), |day| format!(", up to {}", day.format("%-d %B %Y")));
    let sum = |of: fn(&File) -> i64| registry.files.iter().map(of).sum::<i64>();
    let (new, changed) = (sum(|file| file.inserted), sum(|file| file.updated));
    let files = many(registry.files.len() as i64, "file", "files");
    format!(
        "{} in the registry{up_to}; {files} brought {} new and {} changed",
        many(registry.providers, "provider", "providers"),
        grouped(new),
        grouped(changed)
    )
}
