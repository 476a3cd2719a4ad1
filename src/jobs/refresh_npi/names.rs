//! The names of the files, and the periods that they name.

use chrono::{Days, Months, NaiveDate};

/// A file whose period has more days than this is a monthly one, which has the whole registry.
const WEEKLY_DAYS_MAX: i64 = 62;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Weekly,
    Monthly,
}

impl Kind {
    /// The kind of a main file, which only its period tells.
    pub fn of_period(start: NaiveDate, end: NaiveDate) -> Self {
        if (end - start).num_days() > WEEKLY_DAYS_MAX { Self::Monthly } else { Self::Weekly }
    }

    /// The kind of a row of the ledger. A constraint of the table allows no third.
    pub fn of_ledger(kind: &str) -> Self {
        if kind == Self::Monthly.as_str() { Self::Monthly } else { Self::Weekly }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Weekly => "WEEKLY",
            Self::Monthly => "MONTHLY",
        }
    }
}

/// The name of a file of the page, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    pub text: String,
    pub kind: Kind,
    pub start: NaiveDate,
    /// Of a monthly file it is the last day of the month, which is enough to order files; the main file in it has the
    /// real one.
    pub end: NaiveDate,
    /// Files of version 2 have longer fields. Of a period in both versions the page may link both.
    pub v2: bool,
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

impl Name {
    /// Parses the name of a weekly or a monthly file; nothing where it is another name.
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        let rest = lower.strip_prefix("nppes_data_dissemination_")?.strip_suffix(".zip")?;
        let (rest, v2) = rest.strip_suffix("_v2").map_or((rest, false), |rest| (rest, true));
        let parts: Vec<&str> = rest.split('_').collect();
        let text = text.to_owned();
        match parts[..] {
            [start, end, "weekly"] => {
                let (start, end) = (short_date(start)?, short_date(end)?);
                (start <= end).then_some(Self { text, kind: Kind::Weekly, start, end, v2 })
            }
            [month, year] => {
                let month = MONTHS.iter().position(|name| *name == month)? as u32 + 1;
                let year = year.parse().ok().filter(|year| (2000..2100).contains(year))?;
                let start = NaiveDate::from_ymd_opt(year, month, 1)?;
                let end = start + Months::new(1) - Days::new(1);
                Some(Self { text, kind: Kind::Monthly, start, end, v2 })
            }
            _ => None,
        }
    }
}

/// Parses MMDDYY.
fn short_date(text: &str) -> Option<NaiveDate> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
    let digits = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| NaiveDate::from_ymd_opt(2000 + number(4..6)?.cast_signed(), number(0..2)?, number(2..4)?)).flatten()
}

/// The period in the name of a main file, npidata_pfile_YYYYMMDD-YYYYMMDD.csv; nothing where it is another name.
pub fn pfile_period(name: &str) -> Option<(NaiveDate, NaiveDate)> {
    period("npidata_pfile_", name)
}

/// The period in the name of a file of other names.
pub fn other_names_period(name: &str) -> Option<(NaiveDate, NaiveDate)> {
    period("othername_pfile_", name)
}

fn period(prefix: &str, name: &str) -> Option<(NaiveDate, NaiveDate)> {
    let lower = name.to_ascii_lowercase();
    let period = lower.strip_prefix(prefix)?.strip_suffix(".csv")?;
    let (start, end) = period.split_once('-')?;
    let date = |text: &str| (text.len() == 8).then(|| NaiveDate::parse_from_str(text, "%Y%m%d").ok()).flatten();
    let (start, end) = (date(start)?, date(end)?);
    (start <= end).then_some((start, end))
}

/// The files that a page links, each once. Of a file in both versions it is the newer.
pub fn of_page(html: &str) -> Vec<Name> {
    let mut found: Vec<Name> = vec![];
    let html = without_comments(html);
    // Only ASCII letters change, so the positions are those of the original.
    let lower = html.to_ascii_lowercase();
    for (at, _) in lower.match_indices("href") {
        // `data-href` is no link.
        if !html[..at].ends_with(|c: char| c.is_ascii_whitespace() || ['\'', '"', '/'].contains(&c)) {
            continue;
        }
        let Some(name) = link(&html[at + 4..]).and_then(|link| Name::parse(&link)) else { continue };
        match found.iter_mut().find(|other| (other.kind, other.start, other.end) == (name.kind, name.start, name.end)) {
            Some(other) if name.v2 && !other.v2 => *other = name,
            Some(_) => {}
            None => found.push(name),
        }
    }
    found.sort_by_key(|name| (name.end, name.start));
    found
}

/// A page without its comments. One that does not end goes to the end of the page, as a browser has it.
fn without_comments(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, comment)) = rest.split_once("<!--") {
        out.push_str(before);
        // `<!-->` and `<!--->` are whole comments.
        let short = comment.strip_prefix('>').or_else(|| comment.strip_prefix("->"));
        let ends = ["-->", "--!>"].iter().filter_map(|end| Some((comment.find(end)?, end.len()))).min();
        rest = short.or_else(|| ends.map(|(at, length)| &comment[at + length..])).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// The file's name in the value of an attribute, which follows its name: quoted or not, with blanks around it or not.
fn link(after: &str) -> Option<String> {
    let value = after.trim_start().strip_prefix('=')?.trim_start();
    let value = match value.chars().next()? {
        quote @ ('\'' | '"') => value[1..].split(quote).next()?,
        _ => value.split(|c: char| c.is_ascii_whitespace() || c == '>').next()?,
    };
    // A browser drops line ends and tabs inside a link.
    let value: String = value.trim().chars().filter(|c| !['\t', '\n', '\r'].contains(c)).collect();
    let path = value.split(['?', '#']).next().unwrap_or_default();
    path.rsplit(['/', '\\']).next().map(|name| name.replace("%5F", "_").replace("%5f", "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_page_is_read_by_the_names_of_its_files_and_ordered_by_date() {
        let page = "<a href='./NPPES_Data_Dissemination_010526_011126_Weekly_V2.zip'>x</a>
            <A HREF = \"https://elsewhere/nppes_data_dissemination_122925_010426_weekly.ZIP?x=1\">y</A>
            <a href='./NPPES_Data_Dissemination_122925_010426_Weekly_V2.zip'>z</a>
            <a href='./NPPES_Data_Dissemination_December_2025_V2.zip'>m</a>
            <a href='./NPPES_Deactivated_NPI_Report_010526_V2.zip'>d</a>
            <a href='./NPPES_Data_Dissemination_013026_011126_Weekly_V2.zip'>backwards</a>
            href";
        let found: Vec<_> = of_page(page).into_iter().map(|name| (name.text, name.kind, name.end)).collect();
        let expected = [
            ("NPPES_Data_Dissemination_December_2025_V2.zip", Kind::Monthly, day("2025-12-31")),
            ("NPPES_Data_Dissemination_122925_010426_Weekly_V2.zip", Kind::Weekly, day("2026-01-04")),
            ("NPPES_Data_Dissemination_010526_011126_Weekly_V2.zip", Kind::Weekly, day("2026-01-11")),
        ];
        assert_eq!(found, expected.map(|(text, kind, end)| (text.to_owned(), kind, end)));
        assert_eq!(of_page("<html>maintenance</html>"), []);
    }

    #[test]
    fn a_link_is_what_a_browser_takes_for_one() {
        let week = "NPPES_Data_Dissemination_010526_011126_Weekly_V2.zip";
        let found = |html: &str| of_page(html).into_iter().map(|name| name.text).collect::<Vec<_>>();
        for html in [
            "<a href=./{}>no quotes</a>",
            "<a href={}>",
            "<a class=x href=./{} target=_blank>",
            "<a href=\"./{}?x=1&amp;y=2#z\">",
            "<a href=\" ./{} \">",
            "<a\nHREF\n=\n'\n./{}\n'>",
            "<a class='x'href='./{}'>",
            "<a href='https://elsewhere/x/{}'>",
            "<!-- old --><a href='./{}'><!-->",
            "<!--><a href='./{}'>",
            "<!---><a href='./{}'>",
            "<!-- x --!><a href='./{}'>",
            "<!-- x <!-- y --><a href='./{}'>",
        ] {
            assert_eq!(found(&html.replace("{}", week)), [week], "{html}");
        }
        for html in [
            "<!-- <a href='./{}'> -->",
            "<!-- <a href='./{}'>",
            "<!--\n<a href='./{}'>\n--> <a href='./'>",
            "<!-- x > <a href='./{}'> -- > -->",
            "<div data-href='./{}'>",
            "<a xhref='./{}'>",
            "<a href>./{}</a>",
            "<a href='x'>{}</a>",
        ] {
            assert_eq!(found(&html.replace("{}", week)), Vec::<String>::new(), "{html}");
        }
    }

    #[test]
    fn a_main_file_says_its_period_and_no_other_file_is_taken_for_one() {
        let period = Some((day("2026-07-27"), day("2026-08-02")));
        assert_eq!(pfile_period("npidata_pfile_20260727-20260802.csv"), period);
        assert_eq!(pfile_period("NPIDATA_PFILE_20260727-20260802.CSV"), period);
        for other in [
            "npidata_pfile_20260727-20260802_fileheader.csv",
            "npidata_pfile_20260727-20260802_FileHeader.csv",
            "othername_pfile_20260727-20260802.csv",
            "npidata_pfile_20260802-20260727.csv",
            "npidata_pfile_2026727-20260802.csv",
            "npidata_pfile_20261327-20261402.csv",
        ] {
            assert_eq!(pfile_period(other), None, "{other}");
        }
    }
}
