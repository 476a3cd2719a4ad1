//! The page: one file of HTML with its style and its plots, without scripts, which loads nothing.
//!
//! Rule: whatever comes from the database is escaped here, and nowhere else. The plots are drawn at the width of a
//! telephone and stand beside each other where there is room, so that no text is ever scaled down.

mod bars;
mod canvas;
mod html;
mod lines;
mod strip;

use super::Report;
use super::view::{Kind, Plot, Table, Tone, View};
use crate::output::local_stamp;
use html::{escaped, table};

const STYLE: &str = include_str!("style.css");
/// No script, no network: the browser holds the page to it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The page of a report.
pub fn write(report: &Report, views: &[View]) -> String {
    let period = &report.period.period;
    let title = format!("Report, {}", period.title());
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n<style>\n{STYLE}</style>\n</head>\n<body>\n",
        title = escaped(&title)
    );
    out.push_str(&head(report));
    out.push_str("<main>\n");
    out.push_str(&summary(report, views));
    views.iter().for_each(|view| out.push_str(&section(view)));
    out.push_str("</main>\n");
    let at = local_stamp(period.until, period.zone);
    out.push_str(&format!(
        "<footer>\n<p>Written by rounds {} as of {}. No patient is named here.</p>\n</footer>\n</body>\n</html>\n",
        escaped(env!("CARGO_PKG_VERSION")),
        escaped(&at)
    ));
    out
}

fn head(report: &Report) -> String {
    let period = &report.period.period;
    let days = if period.days() == 1 { "1 day".to_owned() } else { format!("{} days", period.days()) };
    let compared =
        report.before.as_ref().map_or(String::new(), |before| format!(", beside {}", escaped(&before.period.title())));
    format!(
        "<header>\n<p class=\"kicker\">Clinic operations</p>\n<h1>{}</h1>\n<p class=\"when\">{days}, {}{compared}</p>\n\
         </header>\n",
        escaped(&period.title()),
        escaped(period.zone.name())
    )
}

fn summary(report: &Report, views: &[View]) -> String {
    let items = |class: &str, items: Vec<String>| format!("<ul class=\"{class}\">\n{}</ul>\n", items.concat());
    let sentences = report.sentences.iter().map(|sentence| {
        // The first clause is what is read at a glance.
        let end = [", ", "; ", ": "].iter().filter_map(|end| sentence.find(end)).min().unwrap_or(sentence.len());
        format!("<li><strong>{}</strong>{}</li>\n", escaped(&sentence[..end]), escaped(&sentence[end..]))
    });
    let links = views.iter().filter(|view| view.absent.is_none());
    let links = links.map(|view| format!("<li><a href=\"#{}\">{}</a></li>\n", view.id, escaped(view.title)));
    format!(
        "<section id=\"summary\" aria-labelledby=\"summary-title\">\n<h2 id=\"summary-title\">At a glance</h2>\n{}\
         <nav aria-label=\"Sections\">\n{}</nav>\n</section>\n",
        items("sentences", sentences.collect()),
        items("links", links.collect())
    )
}

fn section(view: &View) -> String {
    let (id, title) = (view.id, escaped(view.title));
    let mut out = format!("<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{title}</h2>\n");
    if let Some(why) = &view.absent {
        out.push_str(&format!("<p class=\"absent\">{}</p>\n</section>\n", escaped(why)));
        return out;
    }
    view.sentences.iter().for_each(|sentence| out.push_str(&format!("<p>{}</p>\n", escaped(sentence))));
    for one in &view.tables {
        out.push_str(&format!("<h3>{}</h3>\n{}", escaped(&one.title), scrolled(one)));
    }
    if !view.plots.is_empty() {
        if !view.hint.is_empty() {
            out.push_str(&format!("<p class=\"hint\">{}</p>\n", escaped(&view.hint)));
        }
        out.push_str("<div class=\"plots\">\n");
        for (index, one) in view.plots.iter().enumerate() {
            out.push_str(&plot(&format!("{id}-{}", index + 1), one));
        }
        out.push_str("</div>\n");
    }
    out.push_str(&format!("<p class=\"source\">Source: {}</p>\n</section>\n", escaped(view.source)));
    out
}

/// A table that is scrolled by itself where it is wider than the screen; the keyboard reaches it.
fn scrolled(of: &Table) -> String {
    let label = if of.title.is_empty() { "Table".to_owned() } else { escaped(&of.title) };
    format!("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{label}\">\n{}</div>\n", table(of))
}

fn plot(id: &str, plot: &Plot) -> String {
    let (body, height) = match &plot.kind {
        Kind::Bars(of) => bars::draw(of),
        Kind::Lines(of) => lines::draw(of),
        Kind::Strip(of) => strip::draw(of),
    };
    let legend = match &plot.kind {
        Kind::Bars(of) => legend(&of.legend),
        Kind::Lines(of) => {
            legend(&of.series.iter().map(|series| (series.tone, series.name.clone())).collect::<Vec<_>>())
        }
        Kind::Strip(_) => String::new(),
    };
    let (title, description) = (escaped(&plot.title), escaped(&plot.description));
    let named = Table { title: plot.title.clone(), ..plot.table.clone() };
    format!(
        "<figure>\n<figcaption><strong>{title}</strong> <span>{description}</span></figcaption>\n{legend}\
         <svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\n\
         <title id=\"{id}-t\">{title}</title>\n<desc id=\"{id}-d\">{description} The table below has the same figures.</desc>\n\
         {body}</svg>\n<details>\n<summary>Figures</summary>\n{}</details>\n</figure>\n",
        scrolled(&named),
        width = canvas::WIDTH,
    )
}

/// What the colours mean. A mark of ink is a line across the bars.
fn legend(entries: &[(Tone, String)]) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let entry = |(tone, words): &(Tone, String)| {
        format!("<li><span class=\"key {}\"></span>{}</li>\n", canvas::name(*tone), escaped(words))
    };
    format!("<ul class=\"legend\">\n{}</ul>\n", entries.iter().map(entry).collect::<String>())
}
