//! The links of the documents: the file is there, and so is the heading. Nothing outside of the project is asked.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::{read, root};

/// The pages at the top of the project, and all below `docs/`.
fn pages() -> Vec<PathBuf> {
    let top = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "terraform/README.md"];
    let mut found: Vec<PathBuf> = top.iter().map(|name| root().join(name)).collect();
    for folder in ["docs", "docs/adr"] {
        let files =
            std::fs::read_dir(root().join(folder)).expect("a folder").map(|file| file.expect("readable").path());
        found.extend(files.filter(|path| path.extension().is_some_and(|end| end == "md")));
    }
    found
}

/// The lines of a page that are no code.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    page.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// A line without its spans of code, in which brackets are no link.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

/// The targets of the links and pictures of a page.
fn targets(page: &str) -> Vec<String> {
    // A link may go over two lines, and the text of it may be code.
    let text = prose(page).map(without_code).collect::<Vec<_>>().join("\n");
    let of_links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let of_pictures =
        ["src=\"", "srcset=\""].map(|begin| text.split(begin).skip(1).filter_map(|rest| rest.split('"').next()));
    of_links.chain(of_pictures.into_iter().flatten()).map(str::to_owned).collect()
}

/// The name by which a heading is linked.
fn slug(heading: &str) -> String {
    // Of a link in a heading its text alone counts.
    let mut text = String::new();
    for (index, part) in heading.split("](").enumerate() {
        text += if index == 0 { part } else { part.split_once(')').map_or("", |(_, rest)| rest) };
    }
    let kept = |c: char| c.is_alphanumeric() || " -_".contains(c);
    text.trim().to_lowercase().chars().filter(|c| kept(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The names of the headings of a page; one that is there again has a number behind it.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let headings = prose(page).filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let name = slug(line.trim_start_matches('#'));
            let count = seen.entry(name.clone()).or_default();
            *count += 1;
            if *count == 1 { name } else { format!("{name}-{}", *count - 1) }
        })
        .collect()
}

/// What is wrong with a link of a page, if anything.
fn fault(page: &Path, target: &str) -> Option<String> {
    let is_elsewhere = ["https://", "http://", "mailto:"].iter().any(|scheme| target.starts_with(scheme));
    if is_elsewhere {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() { page.to_owned() } else { page.parent().expect("a folder").join(file) };
    if !path.exists() {
        return Some("there is no such file".into());
    }
    let is_missing = !anchor.is_empty() && !anchors(&read(&path)).contains(anchor);
    is_missing.then(|| "there is no such heading".into())
}

#[test]
fn every_link_leads_somewhere() {
    let (mut count, mut wrong) = (0, vec![]);
    for page in pages() {
        for target in targets(&read(&page)) {
            count += 1;
            let name = page.strip_prefix(root()).expect("below").display().to_string();
            wrong.extend(fault(&page, &target).map(|fault| format!("{name}: {target}: {fault}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > 150, "only {count} links");
}

#[test]
fn the_index_has_every_page() {
    let index = root().join("docs/index.md");
    let listed: BTreeSet<PathBuf> = targets(&read(&index))
        .iter()
        .filter_map(|target| index.parent()?.join(target.split('#').next()?).canonicalize().ok())
        .collect();
    let missing: Vec<PathBuf> = pages()
        .into_iter()
        .filter(|page| {
            *page != index && !page.ends_with("README.md") && !listed.contains(&page.canonicalize().expect("there"))
        })
        .collect();
    assert!(missing.is_empty(), "not in docs/index.md: {missing:?}");
}

#[test]
fn a_link_into_nothing_is_found() {
    let page = root().join("docs/index.md");
    assert_eq!(fault(&page, "nothing.md").as_deref(), Some("there is no such file"));
    assert_eq!(fault(&page, "#nothing").as_deref(), Some("there is no such heading"));
    assert_eq!(fault(&page, "#tutorial"), None);
    assert_eq!(slug(" `rounds pause JOB|--all`, [x](y.md) & \"more\""), "rounds-pause-job--all-x--more");
    let text = "a [b](c.md#d) ```x``` `[no](link)`\n```sh\n[e](f.md)\n```\n<img src=\"p.svg\">";
    assert_eq!(targets(text), ["c.md#d", "p.svg"]);
}
