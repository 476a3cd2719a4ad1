//! The page as a parser reads it: well-formed, alone, every id once, each plot with its figures; and the text of it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{AS_OF, clinic, page, report};
use crate::support::Clinic;

const SECTIONS: [&str; 11] =
    ["summary", "jobs", "no-shows", "waits", "alerts", "cases", "tickets", "money", "messages", "requests", "registry"];
/// Elements without an end.
const VOID: [&str; 6] = ["meta", "rect", "line", "circle", "polyline", "polygon"];

/// An element: its name and its attributes.
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Element {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// The elements of a page. Fails where it is not well-formed: each element that begins ends, in its place; each attribute
/// has a value in quotes, and comes once.
fn parsed(page: &str) -> Vec<Element> {
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("HTML");
    let (mut open, mut elements) = (vec![], vec![]);
    while let Some((text, after)) = rest.split_once('<') {
        assert!(!text.contains('>'), "a loose > in {text:?}");
        assert!(text.split('&').skip(1).all(|entity| entity.contains(';')), "a loose & in {text:?}");
        let (tag, after) = after.split_once('>').expect("a tag ends");
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "</{name}>");
            continue;
        }
        let is_closed = tag.ends_with('/');
        let (name, mut attributes) = tag.trim_end_matches('/').split_once(' ').unwrap_or((tag, ""));
        let mut element = Element { name: name.to_owned(), attributes: vec![] };
        while let Some((key, value)) = attributes.trim_start().split_once("=\"") {
            let (value, more) = value.split_once('"').expect("a quote ends");
            assert!(element.get(key).is_none(), "{key} twice in <{tag}>");
            element.attributes.push((key.to_owned(), value.to_owned()));
            attributes = more;
        }
        assert!(attributes.trim().is_empty(), "<{tag}>");
        if name == "style" {
            // Its text is no markup.
            rest = rest.split_once("</style>").expect("it ends").1;
        } else if !is_closed && !VOID.contains(&name) {
            open.push(name.to_owned());
        }
        elements.push(element);
    }
    assert!(open.is_empty(), "left open: {open:?}");
    elements
}

/// Fails unless the page is alone, and each id there once.
fn assert_sound(page: &str) -> Vec<Element> {
    let elements = parsed(page);
    for word in
        ["http:", "https:", "//", "@import", "url(", "<script", "javascript:", "src=", "<link", "<img", "<iframe"]
    {
        assert!(!page.to_lowercase().contains(word), "{word} in the page");
    }
    assert!(!elements.iter().any(|one| one.attributes.iter().any(|(name, _)| name.starts_with("on"))), "a handler");
    let ids: Vec<&str> = elements.iter().filter_map(|one| one.get("id")).collect();
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len(), "an id twice");
    let sections: Vec<&str> =
        elements.iter().filter(|one| one.name == "section").filter_map(|one| one.get("id")).collect();
    assert_eq!(sections, SECTIONS);
    for one in &elements {
        let named = one.get("aria-labelledby").unwrap_or_default().split_whitespace();
        for id in named.chain(one.get("href").map(|href| href.strip_prefix('#').expect("within the page"))) {
            assert!(distinct.contains(id), "nothing has the id {id}");
        }
    }
    let count = |name: &str| elements.iter().filter(|one| one.name == name).count();
    assert_eq!([count("svg"), count("details"), count("desc")], [count("figure"); 3], "each plot has its figures");
    elements
}

#[tokio::test]
async fn the_page_is_well_formed_and_alone() {
    let clinic = clinic().await;
    for args in [&[][..], &["--compare"], &["--names"], &["--since", "6h"], &["--since", "200d"]] {
        let page = page(&clinic, args).await;
        let plots = assert_sound(&page).iter().filter(|one| one.name == "svg").count();
        assert!(plots >= if args.contains(&"6h") { 5 } else { 13 }, "{args:?}: {plots}");
        assert_eq!(page.contains("O&#39;Neil &amp; &lt;i&gt;Sons&lt;/i&gt;"), args == ["--names"], "{args:?}");
    }
}

#[tokio::test]
async fn a_page_of_nothing_is_one_too() {
    let page = page(&Clinic::new().await, &[]).await;
    let elements = assert_sound(&page);
    assert_eq!(elements.iter().filter(|one| one.get("class") == Some("absent")).count(), 9, "{page}");
}

#[tokio::test]
async fn no_bar_is_without_its_number() {
    let clinic = clinic().await;
    let page = page(&clinic, &[]).await;
    let (_, section) = page.split_once("<section id=\"no-shows\"").expect("is there");
    let (section, _) = section.split_once("</section>").expect("ends");
    let bars = section.matches("fill=\"var(--main)\"").count();
    let numbers = section.split("<text").filter(|text| text.contains(" %, n ")).count();
    assert!(bars > 20 && bars == numbers, "{bars} bars, {numbers} numbers");
}

#[tokio::test]
async fn the_text_fits_a_terminal_of_80_columns() {
    let clinic = clinic().await;
    for args in [&[][..], &["--compare"]] {
        let command = [&["report"], &AS_OF[..], args].concat();
        let screen = clinic.program.on_terminal(80, &command).await;
        assert_eq!(screen.code, 0, "{}", screen.text);
        let long: Vec<&str> = screen.text.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(long.is_empty(), "{long:#?}");
        assert!(!screen.text.contains("CANARY"), "{}", screen.text);
        for word in ["no-shows among", "By day of the week", "By doctor", "Provider registry", "All jobs"] {
            assert!(screen.text.contains(word), "{word} is missing in\n{}", screen.text);
        }
    }
}

#[tokio::test]
async fn a_page_that_cannot_be_written_is_a_usage_error() {
    let clinic = Clinic::new().await;
    let outcome = clinic.run(&["report", "--html", "/nowhere/report.html"]).await;
    let message = super::super::refused(outcome, 2, "PAGE_NOT_WRITTEN");
    assert_eq!(message, "--html /nowhere/report.html: there is no such file or directory; no page was written");
    for bad in ["0s", "59m", "401d"] {
        clinic.run(&["report", "--since", bad]).await.expect(2);
    }
}

/// The keys of a value, and the kinds of the others; of a list its first.
fn shape(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let kind = match value {
                    Value::Object(_) => "",
                    Value::Array(_) => " []",
                    Value::String(_) => " text",
                    Value::Number(_) => " number",
                    Value::Bool(_) => " yes or no",
                    Value::Null => " nothing",
                };
                out.push_str(&format!("{indent}{key}:{kind}\n"));
                shape(value, depth + 1, out);
            }
        }
        Value::Array(values) => values.first().into_iter().for_each(|value| shape(value, depth, out)),
        _ => {}
    }
}

#[tokio::test]
async fn the_shape_of_the_json_is_kept() {
    let clinic = clinic().await;
    let mut keys = String::new();
    shape(&report(&clinic, &[]).await, 0, &mut keys);
    insta::assert_snapshot!("shape", keys);
}
