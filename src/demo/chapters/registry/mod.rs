//! The national provider registry (NPPES): a whole file, and the file of the week after it.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::demo::stage::{Line, Stage};

/// The registry has no rows of the clinic: its cast is in the two files.
pub const CAST: &str = "";

/// The main files, by the periods in their names: of all years, and of a week.
const WHOLE: &str = "npidata_pfile_20050523-20260222.csv";
const WEEK: &str = "npidata_pfile_20260223-20260301.csv";

/// The columns that a file must have, but for those of the two addresses.
const COLUMNS: [&str; 22] = [
    "NPI",
    "Entity Type Code",
    "Replacement NPI",
    "Provider Organization Name (Legal Business Name)",
    "Provider Last Name (Legal Name)",
    "Provider First Name",
    "Provider Middle Name",
    "Provider Credential Text",
    "Provider Other Organization Name",
    "Provider Other Last Name",
    "Provider Enumeration Date",
    "Last Update Date",
    "NPI Deactivation Reason Code",
    "NPI Deactivation Date",
    "NPI Reactivation Date",
    "Provider Sex Code",
    "Healthcare Provider Taxonomy Code_1",
    "Provider License Number_1",
    "Provider License Number State Code_1",
    "Healthcare Provider Primary Taxonomy Switch_1",
    "Provider Business Practice Location Address City Name",
    "Provider Business Practice Location Address State Name",
];
/// The other columns of an address of each kind, `{}`.
const ADDRESS: [&str; 8] = [
    "Provider First Line Business {} Address",
    "Provider Second Line Business {} Address",
    "Provider Business {} Address City Name",
    "Provider Business {} Address State Name",
    "Provider Business {} Address Postal Code",
    "Provider Business {} Address Country Code (If outside U.S.)",
    "Provider Business {} Address Telephone Number",
    "Provider Business {} Address Fax Number",
];

/// A provider of the files; all are invented.
struct Provider {
    npi: u64,
    /// The name of an organization, or the last name of a person.
    name: &'static str,
    is_person: bool,
    city: &'static str,
    updated: &'static str,
    deactivated: &'static str,
}

const CLINIC: Provider =
    Provider { npi: 1_900_000_013, name: "OAKENSHAW SURGERY CENTER", is_person: false, ..SOMEBODY };
const MOVES: Provider = Provider { npi: 1_900_000_021, name: "VINTERGAST", city: "YONKERS", ..SOMEBODY };
const RETIRES: Provider = Provider { npi: 1_900_000_039, name: "QUICKBARROW", ..SOMEBODY };
const SOMEBODY: Provider = Provider {
    npi: 1_900_000_047,
    name: "WEXCOMBE",
    is_person: true,
    city: "NEW YORK",
    updated: "01/15/2026",
    deactivated: "",
};

pub async fn play(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let about = "The national registry of providers comes as files: a whole one, then one a week. Here are two small ones \
                 with invented providers. Search, look up, and be told what changes of those whom you refer to.";
    stage.open("Registry: providers, and what changes of them", about, CAST).await?;
    let files = TempDir::new().context("no place for the registry's files")?;
    write(files.path(), WHOLE, &[CLINIC, MOVES, RETIRES, SOMEBODY])?;
    let week = [
        Provider { city: "ALBANY", updated: "02/24/2026", ..MOVES },
        Provider { deactivated: "02/25/2026", updated: "02/25/2026", ..RETIRES },
    ];
    write(files.path(), WEEK, &week)?;
    let load = |file: &str| Line::of(&format!("refresh-npi --accept-fewer-rows --file {file}")).inside(files.path());
    stage.run(load(WHOLE)).await?;
    let found = stage.run(Line::of("npi search --facility oakenshaw")).await?;
    ensure!(found.report["results"][0]["npi"] == CLINIC.npi, "the search was to find {}: {}", CLINIC.npi, found.report);
    stage.say(&format!("found: {} in {}", CLINIC.npi, CLINIC.city))?;
    stage.run(Line::of(&format!("npi watch add {} {} --actor 2", MOVES.npi, RETIRES.npi))).await?;
    stage.later(60);
    stage.run(load(WEEK)).await?;
    let changes = "
        SELECT c.npi::text, c.change, CASE c.change WHEN 'ADDRESS' THEN split_part(c.was, ', ', 2) END AS \"was\",
               CASE c.change WHEN 'ADDRESS' THEN split_part(c.is_now, ', ', 2) ELSE c.is_now END AS \"is now\",
               (SELECT string_agg('user ' || n.recipient_id, ', ') FROM notifications n
                WHERE n.type LIKE 'NPI%') AS \"told\"
        FROM npi_changes c ORDER BY c.npi, c.change";
    let told =
        ["1900000021 | ADDRESS | YONKERS | ALBANY | user 2", "1900000039 | DEACTIVATED |  | 2026-02-25 | user 2"];
    stage.shows(changes, &told).await?;
    let gone = stage.run(Line::of(&format!("npi get {}", RETIRES.npi))).await?;
    ensure!(gone.report["active"] == false, "{} was to be deactivated: {}", RETIRES.npi, gone.report);
    stage.say("found: deactivated, so no search finds it any more")
}

/// Writes a file of these providers, every field quoted, as they are published.
fn write(folder: &Path, name: &str, providers: &[Provider]) -> anyhow::Result<()> {
    let columns = columns();
    let line = |field: &dyn Fn(&str) -> String| {
        let fields: Vec<String> = columns.iter().map(|column| format!("\"{}\"", field(column))).collect();
        fields.join(",") + "\n"
    };
    let mut text = line(&|column| column.to_owned());
    for provider in providers {
        text += &line(&|column| provider.field(column));
    }
    fs::write(folder.join(name), text).context("the registry's file cannot be written")
}

fn columns() -> Vec<String> {
    let addresses = ["Mailing", "Practice Location"];
    let address = addresses.iter().flat_map(|kind| ADDRESS.iter().map(|column| column.replace("{}", kind)));
    let mut columns: Vec<String> = COLUMNS.iter().map(|column| (*column).to_owned()).collect();
    columns.extend(address.filter(|column| !COLUMNS.contains(&column.as_str())));
    columns
}

impl Provider {
    fn field(&self, column: &str) -> String {
        let of =
            |is_person: bool, text: &str| if self.is_person == is_person { text.to_owned() } else { String::new() };
        match column {
            "NPI" => self.npi.to_string(),
            "Entity Type Code" => of(true, "1") + &of(false, "2"),
            "Provider Organization Name (Legal Business Name)" => of(false, self.name),
            "Provider Last Name (Legal Name)" => of(true, self.name),
            "Provider First Name" => of(true, "KESTREL"),
            "Provider Sex Code" => of(true, "F"),
            "Provider Enumeration Date" => "12/01/2017".to_owned(),
            "Last Update Date" => self.updated.to_owned(),
            "NPI Deactivation Date" => self.deactivated.to_owned(),
            "Healthcare Provider Taxonomy Code_1" => "208600000X".to_owned(),
            "Healthcare Provider Primary Taxonomy Switch_1" => "Y".to_owned(),
            "Provider First Line Business Practice Location Address" => "1 MAIN ST".to_owned(),
            "Provider Business Practice Location Address City Name" => self.city.to_owned(),
            "Provider Business Practice Location Address State Name" => "NY".to_owned(),
            "Provider Business Practice Location Address Postal Code" => "100010000".to_owned(),
            _ => String::new(),
        }
    }
}
