//! The tables after a random sequence of files against a model in memory that was written from the rule.

use std::collections::{BTreeMap, HashMap};

use chrono::{Days, NaiveDate};
use fastrand::Rng;
use futures_util::future::join_all;
use serde_json::json;

use super::{LENIENT, outcomes};
use crate::support::nppes::{CITY, DEACTIVATED, Pfile, Provider, REACTIVATED, Registry, UPDATED, crowd, week};

/// As published, the letter, and what is searched.
const NAMES: [(&str, &str, &str); 8] = [
    ("STONE", "s", "stone"),
    ("Éclair", "e", "eclair"),
    ("ZIMMER", "z", "zimmer"),
    ("3M", "0", "3m"),
    ("O'NEIL, \"X\"", "o", "oneilx"),
    ("NULL", "n", "null"),
    ("", "", ""),
    ("SMITH", "s", "smith"),
];
const CITIES: [&str; 3] = ["FLINT", "SAINT PAUL", "AÑASCO"];

/// A full row, as the model sees it.
#[derive(Clone)]
struct Full {
    kind: i16,
    name: usize,
    city: usize,
    updated: NaiveDate,
    deactivated: Option<NaiveDate>,
    reactivated: Option<NaiveDate>,
}

#[derive(Clone)]
enum Row {
    Full(i64, Full),
    Gone(i64, NaiveDate),
    Bad,
}

fn us(date: NaiveDate) -> String {
    date.format("%m/%d/%Y").to_string()
}

impl Full {
    fn random(rng: &mut Rng) -> Self {
        let day = |rng: &mut Rng| NaiveDate::from_ymd_opt(2025, 12, rng.u32(1..=5)).expect("a date");
        let deactivated = (rng.u8(..4) == 0).then(|| day(rng));
        let reactivated = if rng.u8(..4) == 0 { Some(day(rng)) } else { None };
        let (kind, name, city) = (rng.i16(1..=2), rng.usize(..NAMES.len()), rng.usize(..CITIES.len()));
        Self { kind, name, city, updated: day(rng), deactivated, reactivated }
    }

    fn provider(&self, number: i64) -> Provider {
        let name = NAMES[self.name].0;
        let first = if name.is_empty() { "" } else { "ANN" };
        let provider = match self.kind {
            1 => Provider::individual(number, name, first),
            _ => Provider::organization(number, name),
        };
        let date = |date: Option<NaiveDate>| date.map(us).unwrap_or_default();
        provider
            .with(CITY, CITIES[self.city])
            .with(UPDATED, &us(self.updated))
            .with(DEACTIVATED, &date(self.deactivated))
            .with(REACTIVATED, &date(self.reactivated))
    }
}

/// What is known of an NPI.
#[derive(Clone)]
struct Known {
    full: Option<Full>,
    line: Option<String>,
    deactivated: Option<NaiveDate>,
    reactivated: Option<NaiveDate>,
    file: String,
}

impl Known {
    fn active(&self) -> bool {
        self.deactivated.is_none_or(|gone| self.reactivated.is_some_and(|back| back >= gone))
    }

    /// The row of it, when it is searched.
    fn searched(&self) -> Option<&Full> {
        self.full.as_ref().filter(|full| self.active() && !NAMES[full.name].0.is_empty())
    }
}

/// By number.
#[derive(Default)]
struct Model(BTreeMap<i64, Known>);

impl Model {
    /// Takes a file: inserted, updated, unchanged, older, duplicates, deactivated, rejected.
    fn load(&mut self, file: &str, rows: &[Row]) -> [u64; 7] {
        let mut counts = [0; 7];
        let number = |row: &Row| match row {
            Row::Full(number, _) | Row::Gone(number, _) => Some(*number),
            Row::Bad => None,
        };
        let last: HashMap<_, _> = rows.iter().enumerate().map(|(place, row)| (number(row), place)).collect();
        for (place, row) in rows.iter().enumerate() {
            let Some(npi) = number(row) else {
                counts[6] += 1;
                continue;
            };
            if last[&Some(npi)] != place {
                counts[4] += 1;
                continue;
            }
            let known = self.0.get(&npi);
            let new = match row {
                Row::Full(_, full) => {
                    let line = full.provider(npi).line();
                    // The very row of one who was deactivated by NPI and date alone makes it active again.
                    let same =
                        |known: &Known| (known.deactivated, known.reactivated) == (full.deactivated, full.reactivated);
                    if known.is_some_and(|known| known.line.as_ref() == Some(&line) && same(known)) {
                        counts[2] += 1;
                        continue;
                    }
                    let newest = known.and_then(|known| known.full.as_ref()).map(|full| full.updated);
                    if newest.is_some_and(|newest| full.updated < newest) {
                        counts[3] += 1;
                        continue;
                    }
                    let (deactivated, reactivated) = (full.deactivated, full.reactivated);
                    Known { full: Some(full.clone()), line: Some(line), deactivated, reactivated, file: file.into() }
                }
                Row::Gone(_, date) => {
                    if known.is_some_and(|known| known.deactivated == Some(*date)) {
                        counts[2] += 1;
                        continue;
                    }
                    let nothing =
                        Known { full: None, line: None, deactivated: None, reactivated: None, file: String::new() };
                    let stored = known.cloned().unwrap_or(nothing);
                    Known { deactivated: Some(*date), file: file.into(), ..stored }
                }
                Row::Bad => continue,
            };
            counts[usize::from(known.is_some())] += 1;
            counts[5] += u64::from(!new.active());
            self.0.insert(npi, new);
        }
        counts
    }

    fn data(&self) -> Vec<String> {
        let line = |(number, known): (&i64, &Known)| {
            let full = known.full.as_ref();
            let name = |kind| full.filter(|full| full.kind == kind).map(|full| NAMES[full.name].0);
            json!([
                Provider::gone(*number, "").npi,
                full.map_or(0, |full| full.kind),
                name(1).filter(|name| !name.is_empty()),
                name(2).filter(|name| !name.is_empty()),
                full.map(|full| CITIES[full.city]),
                full.map(|full| full.updated),
                known.deactivated,
                known.reactivated,
                known.searched().map(|full| NAMES[full.name].1),
                known.file,
            ])
            .to_string()
        };
        self.0.iter().map(line).collect()
    }

    fn searched(&self) -> Vec<String> {
        let line = |(number, known): (&i64, &Known)| {
            let full = known.searched()?;
            let (_, letter, folded) = NAMES[full.name];
            let (kind, first) = if full.kind == 1 { ("surgeon", " ann") } else { ("facility", "") };
            let table = format!("search_{kind}_{}", if letter == "0" { "other" } else { letter });
            let npi = Provider::gone(*number, "").npi;
            Some(json!([npi, table, format!("{folded}{first}"), CITIES[full.city]]).to_string())
        };
        self.0.iter().filter_map(line).collect()
    }
}

/// A week's rows, some of them as they are stored.
fn random_rows(rng: &mut Rng, model: &Model, end: NaiveDate) -> Vec<Row> {
    let row = |rng: &mut Rng| {
        let number = rng.i64(0..40);
        let known = model.0.get(&number);
        match rng.u8(..20) {
            0 => Row::Bad,
            1..4 => {
                let again = known.and_then(|known| known.deactivated).filter(|_| rng.bool());
                Row::Gone(number, again.unwrap_or(end))
            }
            4..8 => match known.and_then(|known| known.full.clone()) {
                Some(full) => Row::Full(number, full),
                None => Row::Full(number, Full::random(rng)),
            },
            _ => Row::Full(number, Full::random(rng)),
        }
    };
    let count = rng.usize(50..70);
    std::iter::repeat_with(|| row(rng)).take(count).collect()
}

/// The rows as a file.
fn file_of(number: u64, rows: &[Row]) -> Pfile {
    rows.iter().fold(week(number), |file, row| match row {
        Row::Full(number, full) => file.of(&[full.provider(*number)]),
        Row::Gone(number, date) => file.of(&[Provider::gone(*number, &us(*date))]),
        Row::Bad => file.line("\"bad\",\"line\""),
    })
}

async fn lines(registry: &Registry, query: &str) -> Vec<String> {
    let rows = registry.clinic.rows(query).await;
    rows.iter().map(|row| row.get::<_, serde_json::Value>(0).to_string()).collect()
}

async fn stored(registry: &Registry) -> [Vec<String>; 2] {
    let data = "SELECT jsonb_build_array(d.npi, entity_type, last_name, organization_name, practice_city, updated_on,
                                         deactivated_on, reactivated_on, letter, f.name)
                FROM npi_data d JOIN npi_files f ON f.id = d.file_id ORDER BY d.npi";
    let searched = "SELECT jsonb_build_array(npi, tableoid::regclass, folded, city)
                    FROM (SELECT npi, tableoid, folded, city FROM search_surgeon
                          UNION ALL SELECT npi, tableoid, folded, city FROM search_facility) s ORDER BY npi";
    [lines(registry, data).await, lines(registry, searched).await]
}

#[tokio::test]
async fn the_tables_are_what_the_model_says_after_any_files() {
    // At the same time, since most of each is a wait for processes.
    join_all((0..6).map(tables_are_what_the_model_says)).await;
}

async fn tables_are_what_the_model_says(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let registry = Registry::new().await;
    let mut model = Model::default();
    let mut all = [0; 7];
    for number in 0..8 {
        let end = week(number).end;
        let rows = random_rows(&mut rng, &model, end);
        let file = file_of(number, &rows);
        let name = if rng.bool() { file.csv_name() } else { file.weekly_name() };
        let bytes = if name.ends_with("csv") { file.csv() } else { file.zip() };
        let path = registry.write(&name, &bytes);
        let connections = if rng.bool() { "1" } else { "2" };
        let args = ["--file", &path, "--connections", connections, LENIENT[0], LENIENT[1]];
        let outcome = registry.refresh(&args).await;
        super::balanced(&outcome);
        let counts = model.load(&name, &rows);
        let what = format!("seed {seed}, week {number}");
        assert_eq!(outcome.code, if counts[6] > 0 { 3 } else { 0 }, "{what}: {outcome:?}");
        assert_eq!(stored(&registry).await, [model.data(), model.searched()], "{what}");
        outcomes(&outcome, counts);
        registry.sound().await;
        (0..7).for_each(|outcome| all[outcome] += counts[outcome]);
    }
    assert!(all.iter().all(|count| *count > 5), "seed {seed}: the rows are no test: {all:?}");
    for (number, known) in model.0.iter().take(6) {
        let get = ["npi", "get", &Provider::gone(*number, "").npi.to_string(), "--format", "csv"];
        let outcome = registry.clinic.run(&get).await;
        match &known.line {
            Some(line) => assert_eq!(outcome.expect(0).stdout, format!("{line}\n"), "seed {seed}"),
            None => assert_eq!(outcome.code, 1, "seed {seed}"),
        }
    }
}

#[tokio::test]
async fn files_in_one_run_and_in_many_make_the_same_tables() {
    join_all((10..13).map(one_run_and_many_make_the_same_tables)).await;
}

async fn one_run_and_many_make_the_same_tables(seed: u64) {
    let [together, apart] = [Registry::new().await, Registry::new().await];
    let mut rng = Rng::with_seed(seed);
    let first = week(0).of(&crowd(0, 60));
    for registry in [&together, &apart] {
        registry.load(&first, &[]).await.expect(0);
    }
    let mut model = Model::default();
    for number in 1..5 {
        let rows = random_rows(&mut rng, &model, week(number).end + Days::new(1));
        model.load("", &rows);
        let file = file_of(number, &rows);
        together.publish(std::slice::from_ref(&file));
        apart.publish(&[file]);
        apart.refresh(&LENIENT).await;
    }
    together.refresh(&LENIENT).await;
    assert_eq!(together.ledger().await.len(), 5);
    assert_eq!(together.tables().await, apart.tables().await, "seed {seed}");
}
