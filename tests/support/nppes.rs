//! Files of the national provider registry in their true shape, and a database that they are loaded into.

pub mod site;

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use chrono::{Days, NaiveDate};
use serde_json::Value;
use tempfile::TempDir;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::Clinic;
use super::program::Outcome;
use site::Site;

/// The first line as it was published, and a file with three rows as they were published.
const HEADER: &str = include_str!("../data/nppes/header_v2.csv");
pub const SAMPLE: &str = include_str!("../data/nppes/npidata_pfile_sample_v2.csv");

pub const NPI: &str = "NPI";
pub const ENTITY: &str = "Entity Type Code";
pub const ORGANIZATION: &str = "Provider Organization Name (Legal Business Name)";
pub const LAST: &str = "Provider Last Name (Legal Name)";
pub const FIRST: &str = "Provider First Name";
pub const MIDDLE: &str = "Provider Middle Name";
pub const OTHER_ORGANIZATION: &str = "Provider Other Organization Name";
pub const OTHER_ORGANIZATION_KIND: &str = "Provider Other Organization Name Type Code";
pub const OTHER_LAST: &str = "Provider Other Last Name";
pub const OTHER_FIRST: &str = "Provider Other First Name";
pub const OTHER_LAST_KIND: &str = "Provider Other Last Name Type Code";
pub const MAILING_CITY: &str = "Provider Business Mailing Address City Name";
pub const MAILING_PHONE: &str = "Provider Business Mailing Address Telephone Number";
pub const ADDRESS: &str = "Provider First Line Business Practice Location Address";
pub const ADDRESS_2: &str = "Provider Second Line Business Practice Location Address";
pub const CITY: &str = "Provider Business Practice Location Address City Name";
pub const STATE: &str = "Provider Business Practice Location Address State Name";
pub const ZIP: &str = "Provider Business Practice Location Address Postal Code";
pub const ENUMERATED: &str = "Provider Enumeration Date";
pub const UPDATED: &str = "Last Update Date";
pub const DEACTIVATED: &str = "NPI Deactivation Date";
pub const REACTIVATED: &str = "NPI Reactivation Date";
pub const SEX: &str = "Provider Sex Code";
pub const SEX_OF_V1: &str = "Provider Gender Code";

/// The NPI of nine digits and the check digit after them: Luhn, with the prefix 80840.
pub fn npi(nine: i64) -> i64 {
    assert!((100_000_000..1_000_000_000).contains(&nine));
    // From the right, each second digit is doubled, and its digits are added.
    let sum: u32 = format!("80840{nine}")
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| u32::from(digit - b'0') * if place % 2 == 0 { 2 } else { 1 })
        .map(|number| number / 10 + number % 10)
        .sum();
    nine * 10 + i64::from((10 - sum % 10) % 10)
}

/// A row to be published: values by the name of their column.
#[derive(Clone)]
pub struct Provider {
    pub npi: i64,
    fields: BTreeMap<&'static str, String>,
}

impl Provider {
    /// With an NPI of its own for each number.
    fn new(number: i64) -> Self {
        let npi = npi(100_000_000 + number);
        Self { npi, fields: [(NPI, npi.to_string())].into() }
    }

    pub fn individual(number: i64, last: &str, first: &str) -> Self {
        Self::new(number).with(ENTITY, "1").with(LAST, last).with(FIRST, first).with(SEX, "F").placed()
    }

    pub fn organization(number: i64, name: &str) -> Self {
        Self::new(number).with(ENTITY, "2").with(ORGANIZATION, name).placed()
    }

    /// As the registry has those that were deactivated long ago: nothing but the NPI and the date.
    pub fn gone(number: i64, date: &str) -> Self {
        Self::new(number).with(DEACTIVATED, date)
    }

    fn placed(self) -> Self {
        self.with(MAILING_CITY, "ALBANY")
            .with(MAILING_PHONE, "5185550100")
            .with(ADDRESS, "1 MAIN ST")
            .with(CITY, "GRAND RAPIDS")
            .with(STATE, "MI")
            .with(ZIP, "495099542")
            .with(ENUMERATED, "12/01/2017")
            .with(UPDATED, "12/01/2025")
            .taxonomies(&[("207Q00000X", "43017", "MI", "Y")])
            .with("Is Sole Proprietor", "N")
    }

    pub fn with(mut self, column: &'static str, value: &str) -> Self {
        self.fields.insert(column, value.to_owned());
        self
    }

    /// Code, licence, the licence's state, and the switch of the primary one.
    pub fn taxonomies(mut self, taxonomies: &[(&str, &str, &str, &str)]) -> Self {
        const PARTS: [&str; 4] = [
            "Healthcare Provider Taxonomy Code_",
            "Provider License Number_",
            "Provider License Number State Code_",
            "Healthcare Provider Primary Taxonomy Switch_",
        ];
        self.fields.retain(|column, _| !PARTS.iter().any(|part| column.starts_with(part)));
        for (slot, &(code, licence, state, switch)) in (1..).zip(taxonomies) {
            for (part, value) in PARTS.iter().zip([code, licence, state, switch]) {
                let name = format!("{part}{slot}");
                let column = columns().iter().find(|column| **column == name);
                self.fields.insert(column.expect("15 slots"), value.to_owned());
            }
        }
        self
    }

    /// Its line in a file of these columns.
    fn line_of(&self, columns: &[&str]) -> String {
        let value = |column: &str| {
            let column = if column == SEX_OF_V1 { SEX } else { column };
            self.fields.get(column).map(String::as_str).unwrap_or_default()
        };
        quoted(columns.iter().map(|column| value(column)))
    }

    /// Its line, without an end.
    pub fn line(&self) -> String {
        self.line_of(columns())
    }
}

/// The names of the columns that were published.
pub fn columns() -> &'static [&'static str] {
    static COLUMNS: std::sync::OnceLock<Vec<&str>> = std::sync::OnceLock::new();
    COLUMNS.get_or_init(|| HEADER.trim_end().split(',').map(|column| column.trim_matches('"')).collect())
}

/// A line of the registry: every field quoted.
pub fn quoted<'a>(fields: impl IntoIterator<Item = &'a str>) -> String {
    let mut line = String::new();
    for field in fields {
        line.push_str(if line.is_empty() { "\"" } else { ",\"" });
        match field.contains('"') {
            true => line.push_str(&field.replace('"', "\"\"")),
            false => line.push_str(field),
        }
        line.push('"');
    }
    line
}

/// The main file of a period.
#[derive(Clone)]
pub struct Pfile {
    pub start: NaiveDate,
    pub end: NaiveDate,
    pub columns: Vec<&'static str>,
    pub lines: Vec<Vec<u8>>,
    /// The file of other names beside it in the zip; none is without a row.
    pub other_names: Vec<Vec<u8>>,
    pub line_end: &'static str,
}

/// The weekly file of a week from Monday to Sunday: week 0 begins on December 15, 2025, week 2 goes into the next year.
pub fn week(number: u64) -> Pfile {
    let start = NaiveDate::from_ymd_opt(2025, 12, 15).expect("a date") + Days::new(7 * number);
    Pfile::new(start, start + Days::new(6))
}

/// The monthly file with all until a day.
pub fn until(end: &str) -> Pfile {
    Pfile::new(NaiveDate::from_ymd_opt(2005, 5, 23).expect("a date"), end.parse().expect("a date"))
}

impl Pfile {
    fn new(start: NaiveDate, end: NaiveDate) -> Self {
        Self { start, end, columns: columns().to_vec(), lines: vec![], other_names: vec![], line_end: "\n" }
    }

    pub fn of(mut self, providers: &[Provider]) -> Self {
        self.lines.extend(providers.iter().map(|provider| provider.line_of(&self.columns).into_bytes()));
        self
    }

    /// With another name of an organization, and the code of its kind.
    pub fn other(self, provider: &Provider, name: &str, kind: &str) -> Self {
        self.other_line(quoted([&*provider.npi.to_string(), name, kind]))
    }

    pub fn other_line(mut self, line: impl Into<Vec<u8>>) -> Self {
        self.other_names.push(line.into());
        self
    }

    pub fn line(mut self, line: impl Into<Vec<u8>>) -> Self {
        self.lines.push(line.into());
        self
    }

    pub fn csv_name(&self) -> String {
        format!("npidata_pfile_{}-{}.csv", self.start.format("%Y%m%d"), self.end.format("%Y%m%d"))
    }

    pub fn weekly_name(&self) -> String {
        let [start, end] = [self.start, self.end].map(|date| date.format("%m%d%y").to_string());
        format!("NPPES_Data_Dissemination_{start}_{end}_Weekly_V2.zip")
    }

    pub fn monthly_name(&self) -> String {
        format!("NPPES_Data_Dissemination_{}_V2.zip", self.end.format("%B_%Y"))
    }

    pub fn csv(&self) -> Vec<u8> {
        let header = quoted(self.columns.iter().copied()).into_bytes();
        let mut csv = vec![];
        for line in [&header].into_iter().chain(&self.lines) {
            csv.extend_from_slice(line);
            csv.extend_from_slice(self.line_end.as_bytes());
        }
        csv
    }

    /// With all that lies beside it.
    pub fn zip(&self) -> Vec<u8> {
        let (name, csv) = (self.csv_name(), self.csv());
        let period = name.trim_start_matches("npidata_pfile_").trim_end_matches(".csv");
        let mut beside = vec![name.replace(".csv", "_fileheader.csv")];
        for file in ["othername", "pl", "endpoint"] {
            beside.push(format!("{file}_pfile_{period}.csv"));
            beside.push(format!("{file}_pfile_{period}_FileHeader.csv"));
        }
        let mut other_names = quoted([NPI, OTHER_ORGANIZATION, OTHER_ORGANIZATION_KIND]).into_bytes();
        for line in &self.other_names {
            other_names.extend_from_slice(self.line_end.as_bytes());
            other_names.extend_from_slice(line);
        }
        let content = |name: &str| match name.starts_with("othername") && !name.ends_with("_FileHeader.csv") {
            true => &other_names[..],
            false => &b"\"NPI\",\"Anything\"\n"[..],
        };
        let mut entries: Vec<(&str, &[u8])> = beside.iter().map(|name| (name.as_str(), content(name))).collect();
        // Not the first one, nor the last.
        entries.insert(3, (&name, &csv));
        zip_of(&entries)
    }
}

/// A zip of these files, deflated.
pub fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).expect("a name");
        zip.write_all(bytes).expect("memory");
    }
    zip.finish().expect("memory").into_inner()
}

/// Different individuals, numbers from the first on; names begin with many letters.
pub fn crowd(first: i64, count: i64) -> Vec<Provider> {
    let name = |number: i64| {
        let letter = char::from(b'A' + u8::try_from(number % 26).expect("a letter"));
        format!("{letter}NAME{number}")
    };
    (first..first + count).map(|number| Provider::individual(number, &name(number), "PAT")).collect()
}

/// A database, and a site from which it can be filled.
pub struct Registry {
    pub clinic: Clinic,
    pub site: Site,
    /// Where the program keeps what it fetches.
    pub temporary: TempDir,
    /// Where this test keeps its files.
    pub files: TempDir,
}

/// Values that differ from run to run.
const INCIDENTAL: &str = "ARRAY['id', 'file_id', 'seconds', 'processed_at', 'run_id']";

impl Registry {
    pub async fn new() -> Self {
        Self::of(Clinic::new().await).await
    }

    pub async fn of(mut clinic: Clinic) -> Self {
        let site = Site::start().await;
        let [temporary, files] = [(); 2].map(|()| tempfile::tempdir().expect("a place for files"));
        clinic.program = clinic.program.env("ROUNDS_NPPES_URL", &site.base());
        clinic.program = clinic.program.env("TMPDIR", temporary.path().to_str().expect("UTF-8"));
        Self { clinic, site, temporary, files }
    }

    /// With this file loaded.
    pub async fn with(pfile: &Pfile) -> Self {
        let registry = Self::new().await;
        registry.load(pfile, &[]).await.expect(0);
        registry
    }

    /// Runs the job on what the site has.
    pub async fn refresh(&self, more: &[&str]) -> Outcome {
        self.clinic.run(&[&["refresh-npi"], more].concat()).await
    }

    /// Writes a file for `--file`.
    pub fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.files.path().join(name);
        std::fs::write(&path, bytes).expect("can be written");
        path.to_str().expect("UTF-8").to_owned()
    }

    /// Runs the job on a local CSV.
    pub async fn load(&self, pfile: &Pfile, more: &[&str]) -> Outcome {
        let path = self.write(&pfile.csv_name(), &pfile.csv());
        self.refresh(&[&["--file", &path], more].concat()).await
    }

    pub fn publish(&self, weeklies: &[Pfile]) {
        for pfile in weeklies {
            self.site.publish(&pfile.weekly_name(), pfile.zip());
        }
    }

    pub fn publish_monthly(&self, pfile: &Pfile) {
        self.site.publish(&pfile.monthly_name(), pfile.zip());
    }

    /// A provider as it is stored.
    pub async fn stored(&self, npi: i64) -> Value {
        self.clinic.json(&format!("SELECT * FROM npi_data WHERE npi = {npi}")).await
    }

    /// The tables in which a provider can be searched.
    pub async fn searchable(&self, npi: i64) -> Vec<String> {
        let query = format!(
            "SELECT tableoid::regclass::text FROM search_surgeon WHERE npi = {npi}
             UNION ALL SELECT tableoid::regclass::text FROM search_facility WHERE npi = {npi}"
        );
        self.clinic.rows(&query).await.iter().map(|row| row.get(0)).collect()
    }

    /// The names of the files in the ledger, in the order in which they were loaded.
    pub async fn ledger(&self) -> Vec<String> {
        self.clinic.rows("SELECT name FROM npi_files ORDER BY id").await.iter().map(|row| row.get(0)).collect()
    }

    /// Everything that the job keeps, but for what is unlike from run to run.
    pub async fn tables(&self) -> Value {
        let part = |table: &str| {
            format!("to_jsonb({table}) - {INCIDENTAL} || jsonb_build_object('part', {table}.tableoid::regclass)")
        };
        let file = "|| jsonb_build_object('file', f.name)";
        self.clinic
            .json(&format!(
                "SELECT (SELECT jsonb_agg({} {file} ORDER BY d.npi)
                         FROM npi_data d LEFT JOIN npi_files f ON f.id = d.file_id) AS data,
                        (SELECT jsonb_agg(k ORDER BY k.npi) FROM npi_key k) AS keys,
                        (SELECT jsonb_agg({} ORDER BY s.npi, s.name_number) FROM search_surgeon s) AS surgeons,
                        (SELECT jsonb_agg({} ORDER BY s.npi, s.name_number) FROM search_facility s) AS facilities,
                        (SELECT jsonb_agg({} {file} ORDER BY o.npi, o.number)
                         FROM npi_other_names o LEFT JOIN npi_files f ON f.id = o.file_id) AS other_names,
                        (SELECT jsonb_agg({} ORDER BY n.id) FROM npi_files n) AS files,
                        (SELECT jsonb_agg({} {file} ORDER BY f.id, r.entry, r.line)
                         FROM npi_rejects r JOIN npi_files f ON f.id = r.file_id) AS rejects",
                part("d"),
                part("s"),
                part("s"),
                part("o"),
                part("n"),
                part("r"),
            ))
            .await
    }

    /// Fails unless the tables agree with each other, and nothing is left of any run.
    pub async fn sound(&self) {
        let place = "practice_address, practice_city, practice_state, practice_zip, primary_taxonomy";
        let found = "address, city, state, zip, primary_taxonomy";
        let active = "(deactivated_on IS NULL OR reactivated_on >= deactivated_on)";
        let surgeons = format!(
            "SELECT letter, npi, first_name, last_name, middle_name, {place} FROM npi_data
             WHERE entity_type = 1 AND {active} AND coalesce(last_name, first_name) IS NOT NULL"
        );
        let facilities = format!(
            "SELECT letter, npi, organization_name, {place} FROM npi_data
             WHERE entity_type = 2 AND {active} AND organization_name IS NOT NULL"
        );
        let listed = |columns: &str, table: &str| {
            format!("SELECT letter, npi, {columns}, {found} FROM {table} WHERE name_number = 0")
        };
        let surgeon = listed("first_name, last_name, middle_name", "search_surgeon");
        let facility = listed("facility_name", "search_facility");
        // Of those who are searched, each other name is, too, and nobody else's is.
        let other = |kind: i16, names: &str, place: &str| {
            format!(
                "SELECT o.letter, o.npi, o.number, o.folded, o.name, o.kind, {names}, {place} FROM npi_other_names o
                 JOIN npi_data d ON d.npi = o.npi
                 WHERE d.entity_type = {kind} AND d.letter IS NOT NULL AND o.letter IS NOT NULL"
            )
        };
        let by_other = |table: &str, names: &str| {
            format!(
                "SELECT letter, npi, name_number, folded, other_name, other_kind, {names}, {found} FROM {table}
                 WHERE name_number > 0"
            )
        };
        let surgeons_names = "first_name, last_name, middle_name";
        let other_surgeons = (other(1, surgeons_names, place), by_other("search_surgeon", surgeons_names));
        let other_facilities = (other(2, "organization_name", place), by_other("search_facility", "facility_name"));
        let both = "(SELECT letter, folded, tableoid::regclass::text AS part FROM search_surgeon
                     UNION ALL SELECT letter, folded, tableoid::regclass::text FROM search_facility) b";
        let checks = [
            format!("({}) EXCEPT ({})", other_surgeons.0, other_surgeons.1),
            format!("({}) EXCEPT ({})", other_surgeons.1, other_surgeons.0),
            format!("({}) EXCEPT ({})", other_facilities.0, other_facilities.1),
            format!("({}) EXCEPT ({})", other_facilities.1, other_facilities.0),
            "SELECT npi FROM npi_other_names EXCEPT SELECT npi FROM npi_key".into(),
            "SELECT npi FROM search_surgeon WHERE name_number = 0 AND other_name IS NOT NULL".into(),
            format!("({surgeons}) EXCEPT ({surgeon})"),
            format!("({surgeon}) EXCEPT ({surgeons})"),
            format!("({facilities}) EXCEPT ({facility})"),
            format!("({facility}) EXCEPT ({facilities})"),
            "SELECT npi, entity_type FROM npi_key EXCEPT SELECT npi, entity_type FROM npi_data".into(),
            "SELECT npi FROM npi_data GROUP BY npi HAVING count(*) > 1".into(),
            format!("SELECT npi FROM npi_data WHERE letter IS NOT NULL AND (entity_type = 0 OR NOT {active})"),
            format!(
                "SELECT * FROM {both}
                 WHERE letter::text <> CASE WHEN folded ~ '^[a-z]' THEN left(folded, 1) ELSE '0' END"
            ),
            format!("SELECT * FROM {both} WHERE part !~ ('_' || replace(letter::text, '0', 'other') || '$')"),
            "SELECT relname FROM pg_class WHERE relname LIKE 'npi\\_stage\\_%'".into(),
        ];
        for check in checks {
            let wrong = self.clinic.json(&format!("SELECT (SELECT jsonb_agg(w) FROM ({check}) w) AS wrong")).await;
            assert!(wrong["wrong"].is_null(), "{check}: {wrong}");
        }
        let left: Vec<_> = std::fs::read_dir(self.temporary.path()).expect("a directory").collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}
