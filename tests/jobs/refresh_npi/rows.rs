//! What becomes of a line: columns that are found by name, values as they were meant, and lines that are none.

use serde_json::json;

use super::{LENIENT, counts};
use crate::support::nppes::{
    ADDRESS, ADDRESS_2, CITY, DEACTIVATED, ENTITY, ENUMERATED, LAST, MAILING_PHONE, NPI, Pfile, Provider, REACTIVATED,
    Registry, SAMPLE, SEX, SEX_OF_V1, UPDATED, crowd, npi, quoted, week,
};

/// The line that `npi get` gives back, and the line feed.
async fn line(registry: &Registry, npi: i64) -> String {
    registry.clinic.run(&["npi", "get", &npi.to_string(), "--format", "csv"]).await.expect(0).stdout
}

#[test]
fn the_check_digits_are_those_of_the_real_rows() {
    for real in [1_851_806_699, 1_699_600_866, 1_669_740_403, 1_234_567_893] {
        assert_eq!(npi(real / 10), real);
    }
}

#[tokio::test]
async fn the_real_rows_are_stored_as_they_were_meant() {
    let registry = Registry::new().await;
    let path = registry.write("npidata_pfile_20260727-20260802.csv", SAMPLE.as_bytes());
    let outcome = registry.refreshes(&["--file", &path]).await;
    assert_eq!(counts(&outcome, ["kind", "rows", "inserted"]), [json!("WEEKLY"), json!(3), json!(3)]);
    let expected = json!({
        "entity_type": 1, "replacement_npi": null, "organization_name": null, "last_name": "POTTER",
        "first_name": "NICHOLAS", "middle_name": "MICHAEL", "credential": "MA", "other_name": null,
        "mailing_address": "1055 GEZON PKWY SW", "mailing_city": "WYOMING", "mailing_state": "MI",
        "mailing_zip": "495099542", "mailing_phone": "6167732908", "practice_address": "1055 GEZON PKWY SW",
        "practice_city": "GRAND RAPIDS", "practice_state": "MI", "practice_zip": "495099542", "practice_country": "US",
        "practice_phone": "6167732908", "practice_fax": "6165323046", "enumerated_on": "2017-12-01",
        "updated_on": "2026-07-27", "deactivated_on": null, "reactivated_on": null, "deactivation_code": null,
        "sex": "M", "primary_taxonomy": "101YP2500X", "taxonomies": ["106S00000X", "101YM0800X", "101YP2500X"],
        "licences": ["MI:RBT-17-44099", "MI:6451023025", "MI:6401226398"], "letter": "p",
    });
    registry.expect(1_851_806_699, expected).await;
    let expected = json!({"last_name": "CARAVEO", "primary_taxonomy": "101YA0400X",
                          "taxonomies": ["101YA0400X", "171M00000X"],
                          "licences": ["CA:9325", ""], "practice_fax": null});
    registry.expect(1_669_740_403, expected).await;
    let found = registry.clinic.json("SELECT * FROM search_surgeon_s").await;
    let expected = json!({"letter": "s", "npi": 1_699_600_866, "folded": "snedegar alison", "first_name": "ALISON",
                          "last_name": "SNEDEGAR", "name_number": 0, "middle_name": null,
                          "other_name": null, "other_kind": null, "address": "570 INDIAN MOUND DR", "city": "MOUNT STERLING",
                          "state": "KY", "zip": "403532005", "primary_taxonomy": "183500000X"});
    assert_eq!(found, expected);
}

#[tokio::test]
async fn the_primary_taxonomy_is_the_one_whose_switch_is_y_or_else_the_first() {
    let slots: Vec<_> = (0..15).map(|_| ("207Q00000X", "", "", "N")).collect();
    let last = [&slots[..14], &[("208600000X", "", "", "Y")]].concat();
    let cases = [
        (&[("207Q00000X", "1", "MI", "N"), ("208600000X", "2", "NY", "Y")][..], json!("208600000X")),
        (&[("207Q00000X", "1", "MI", "N"), ("208600000X", "2", "NY", "N")], json!("207Q00000X")),
        (&[("207Q00000X", "1", "MI", ""), ("208600000X", "2", "NY", "X")], json!("207Q00000X")),
        (&last, json!("208600000X")),
        (&[], json!(null)),
    ];
    let provider = |number: i64, taxonomies| Provider::individual(number, "LAST", "FIRST").taxonomies(taxonomies);
    let rows: Vec<_> = (0..).zip(&cases).map(|(number, (taxonomies, _))| provider(number, taxonomies)).collect();
    let registry = Registry::with(&week(0).of(&rows)).await;
    for (row, (taxonomies, primary)) in rows.iter().zip(cases) {
        let codes: Vec<_> = taxonomies.iter().map(|taxonomy| taxonomy.0).collect();
        registry.expect(row.npi, json!({"primary_taxonomy": primary, "taxonomies": codes})).await;
    }
}

#[tokio::test]
async fn words_that_look_like_something_else_are_words() {
    let long = "VERY ".repeat(60) + "LONG";
    let last = |number, name: &str| Provider::individual(number, name, "X");
    let rows = [
        last(1, "NULL"),
        last(2, "O'NEIL, JR., \"BUD\""),
        last(3, "\\N"),
        last(4, "C:\\new\ttab"),
        last(5, "É\u{301}lan 😀"),
        last(6, &long),
        last(7, " PADDED "),
        last(8, "'; DROP TABLE npi_data; --"),
        last(9, "{a,b}"),
    ];
    let names = ["NULL", "O'NEIL, JR., \"BUD\"", "\\N", "C:\\new\ttab", "É\u{301}lan 😀", &long];
    let file =
        week(0).of(&rows).of(&[Provider::organization(20, "ST. \"JOHN\", INC.,"), Provider::organization(21, "NULL")]);
    let registry = Registry::with(&file).await;
    registry.sound().await;
    for (row, name) in rows.iter().zip(names) {
        registry.expect(row.npi, json!({"last_name": name})).await;
    }
    registry.expect(npi(100_000_020), json!({"organization_name": "ST. \"JOHN\", INC.,", "letter": "s"})).await;
    registry.expect(npi(100_000_021), json!({"organization_name": "NULL", "letter": "n"})).await;
    for row in &rows {
        assert_eq!(line(&registry, row.npi).await, row.line() + "\n");
    }
}

#[tokio::test]
async fn what_is_empty_or_masked_is_nothing_and_is_kept_in_the_row() {
    let masked = Provider::organization(1, "<UNAVAIL>").with("Employer Identification Number (EIN)", "<UNAVAIL>");
    let masked = masked.with(MAILING_PHONE, "<UNAVAIL>").with(CITY, "").with(ADDRESS_2, "SUITE 7");
    let registry = Registry::with(&week(0).of(std::slice::from_ref(&masked))).await;
    registry.sound().await;
    let expected = json!({"organization_name": null, "mailing_phone": null, "practice_city": null, "letter": null,
                          "deactivated_on": null, "practice_fax": null});
    registry.expect(masked.npi, expected).await;
    let address = &registry.stored(masked.npi).await["practice_address"];
    assert!(
        address.as_str().is_some_and(|text| text.starts_with("1 MAIN ST") && text.ends_with("SUITE 7")),
        "{address}"
    );
    assert!(registry.searchable(masked.npi).await.is_empty(), "it has no name");
    assert_eq!(line(&registry, masked.npi).await, masked.line() + "\n");
}

#[tokio::test]
async fn columns_are_found_by_their_names_in_any_order_and_in_v1() {
    for change in [(|columns: &mut Vec<&str>| columns.reverse()) as fn(&mut Vec<&'static str>), |columns| {
        columns.iter_mut().filter(|column| **column == SEX).for_each(|column| *column = SEX_OF_V1)
    }] {
        let mut file = week(0);
        change(&mut file.columns);
        let provider = Provider::individual(1, "LAST", "FIRST").with(ENUMERATED, "02/29/2024");
        let registry = Registry::with(&file.clone().of(std::slice::from_ref(&provider))).await;
        registry.sound().await;
        let expected = json!({"last_name": "LAST", "first_name": "FIRST", "sex": "F", "enumerated_on": "2024-02-29",
                              "updated_on": "2025-12-01", "practice_city": "GRAND RAPIDS"});
        registry.expect(provider.npi, expected).await;
        let same = file.of(std::slice::from_ref(&provider)).lines.remove(0);
        assert_eq!(line(&registry, provider.npi).await.as_bytes(), [&same[..], b"\n"].concat());
    }
}

#[tokio::test]
async fn a_column_that_nobody_knows_is_ignored_with_a_warning_and_kept_in_the_row() {
    let registry = Registry::new().await;
    let mut file = week(0);
    file.columns.insert(5, "Provider Favourite Colour");
    file.columns.push("Provider Shoe Size");
    let provider = Provider::individual(1, "LAST", "FIRST");
    let mut file = file.of(&[provider.clone(), Provider::individual(2, "OTHER", "FIRST")]);
    let text = String::from_utf8(file.lines[0].clone()).expect("UTF-8");
    file.lines[0] = (text.trim_end_matches("\"\"").to_owned() + "\"44\"").into_bytes();
    let outcome = registry.loads(&file, &[], 0).await;
    for column in ["Provider Favourite Colour", "Provider Shoe Size"] {
        assert!(outcome.stderr.contains(column), "{column}: {}", outcome.stderr);
    }
    registry.expect(provider.npi, json!({"last_name": "LAST", "first_name": "FIRST"})).await;
    assert_eq!(line(&registry, provider.npi).await.as_bytes(), [&file.lines[0][..], b"\n"].concat());
}

#[tokio::test]
async fn line_ends_a_byte_order_mark_and_a_missing_last_end_change_nothing() {
    let rows = crowd(0, 20);
    let unix = week(0).of(&rows);
    let dos = Pfile { line_end: "\r\n", ..unix.clone() };
    let mark = b"\xEF\xBB\xBF".as_slice();
    let endless = |csv: &[u8], end: usize| csv[..csv.len() - end].to_vec();
    let expected = Registry::with(&unix).await.tables().await;
    for (what, csv) in [
        ("CRLF", dos.csv()),
        ("a mark", [mark, &unix.csv()].concat()),
        ("a mark and CRLF", [mark, &dos.csv()].concat()),
        ("no last end", endless(&unix.csv(), 1)),
        ("no last CRLF", endless(&dos.csv(), 2)),
    ] {
        let registry = Registry::new().await;
        let path = registry.write(&unix.csv_name(), &csv);
        let outcome = registry.refreshes(&["--file", &path]).await;
        assert_eq!(outcome.count("loaded"), 20, "{what}");
        let tables = registry.tables().await;
        for table in ["data", "surgeons"] {
            let rows = |tables: &serde_json::Value| tables[table].as_array().expect("rows").len();
            assert_eq!(rows(&tables), rows(&expected), "{what}: {table}");
        }
        assert_eq!(tables["surgeons"], expected["surgeons"], "{what}");
        assert_eq!(line(&registry, rows[7].npi).await, rows[7].line() + "\n", "{what}");
        // The last field of the header and of the rows has no carriage return.
        assert!(!registry.clinic.json("SELECT header FROM npi_files").await.to_string().contains("\\r"), "{what}");
    }
}

#[tokio::test]
async fn a_row_that_is_quoted_otherwise_is_read_and_given_back_as_it_was() {
    let provider = Provider::individual(1, "LAST", "FIRST");
    let bare = Provider::individual(2, "BARE", "FIRST").line().replace('"', "");
    let mixed = Provider::individual(3, "MIXED, JR", "FIRST").line().replace("\"\"", "");
    let lines = [provider.line(), bare, mixed];
    let mut file = week(0);
    file.lines = lines.iter().map(|line| line.clone().into_bytes()).collect();
    let registry = Registry::with(&file).await;
    registry.sound().await;
    for (number, (text, name)) in (1..).zip(lines.iter().zip(["LAST", "BARE", "MIXED, JR"])) {
        let npi = npi(100_000_000 + number);
        registry.expect(npi, json!({"last_name": name, "updated_on": "2025-12-01"})).await;
        assert_eq!(line(&registry, npi).await, format!("{text}\n"));
    }
}

/// A proper line with one byte string in place of another.
fn spoiled(from: &str, to: &[u8]) -> Vec<u8> {
    let text = Provider::individual(77, "SPOILED", "X").line();
    let (before, after) = text.split_once(from).expect("it is there");
    [before.as_bytes(), to, after.as_bytes()].concat()
}

#[tokio::test]
async fn a_bad_line_among_good_ones_is_put_aside_with_its_reason() {
    let digits = npi(100_000_077).to_string();
    let wrong = format!("{}{}", &digits[..9], (digits.as_bytes()[9] - b'0' + 1) % 10);
    let with = |column, value: &str| Provider::individual(77, "SPOILED", "X").with(column, value).line().into_bytes();
    let header = quoted(week(0).columns).into_bytes();
    let cut = Provider::individual(77, "SPOILED", "X").line();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("check digit", with(NPI, &wrong)),
        ("check digit", with(NPI, "1000000000")),
        ("npi", with(NPI, &digits[..9])),
        ("npi", with(NPI, &format!("{digits}0"))),
        ("npi", with(NPI, "12345678X3")),
        ("npi", with(NPI, "")),
        ("date", with(UPDATED, "13/01/2025")),
        ("date", with(UPDATED, "02/30/2025")),
        ("date", with(UPDATED, "2025-12-01")),
        ("date", with(ENUMERATED, "02/29/2025")),
        ("date", with(DEACTIVATED, "soon")),
        ("date", with(REACTIVATED, "1/2/25")),
        ("columns", b"bad".to_vec()),
        ("columns", [cut.as_bytes(), b",\"\""].concat()),
        ("columns", cut.rsplit_once(',').expect("many").0.into()),
        ("utf-8", spoiled("SPOILED", b"PE\xD1A")),
        ("utf-8", spoiled("SPOILED", b"\xC3")),
        ("entity type", with(ENTITY, "3")),
        ("entity type", with(ENTITY, "X")),
        ("entity type", with(ENTITY, "01")),
        ("nul", spoiled("SPOILED", b"A\0B")),
        ("header", header),
    ];
    let good = crowd(0, 2 * i64::try_from(cases.len()).expect("few"));
    let mut file = week(0);
    for ((_, bad), pair) in cases.iter().zip(good.chunks(2)) {
        file = file.of(&pair[..1]).line(bad.clone()).of(&pair[1..]);
    }
    let registry = Registry::new().await;
    let outcome = registry.loads(&file, &LENIENT, 3).await;
    assert_eq!((outcome.count("loaded"), outcome.count("failed")), (good.len() as u64, cases.len() as u64));
    let rows = registry.clinic.rows("SELECT line, reason, raw FROM npi_rejects ORDER BY line").await;
    let rejects: Vec<(i64, String, Vec<u8>)> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    // The header is line 1, and each bad line is the second of three.
    let expected = (0..).zip(&cases).map(|(number, (reason, bad))| (3 * number + 3, (*reason).to_owned(), bad.clone()));
    for (reject, expected) in rejects.iter().zip(expected) {
        assert_eq!((reject.0, &reject.1), (expected.0, &expected.1), "{}", String::from_utf8_lossy(&expected.2));
        assert!(reject.2 == expected.2, "{expected:?}");
    }
    assert_eq!(rejects.len(), cases.len());
    assert_eq!(registry.clinic.count("SELECT count(*) FROM npi_key").await, good.len() as i64);
}

#[tokio::test]
async fn an_unclosed_quote_spoils_its_own_line_only() {
    let rows = crowd(0, 40);
    let cut = &rows[30].line()[..200];
    let file = week(0).of(&rows[..20]).line(cut).of(&rows[20..]);
    let registry = Registry::new().await;
    let outcome = registry.loads(&file, &LENIENT, 3).await;
    assert_eq!((outcome.count("loaded"), outcome.count("failed")), (40, 1));
    let reject = registry.clinic.json("SELECT line, reason FROM npi_rejects").await;
    assert_eq!(reject, json!({"line": 22, "reason": "columns"}));
}

/// People with line ends in their fields, and what is stored of these.
fn broken_lines() -> Vec<(Provider, &'static str, &'static str)> {
    let person = |number| Provider::individual(number, "BROKEN", "X");
    vec![
        (person(100).with(ADDRESS, "1 MAIN ST\nSUITE 2"), "practice_address", "1 MAIN ST\nSUITE 2"),
        (person(101).with(ADDRESS, "\n"), "practice_address", "\n"),
        (person(102).with(LAST, "TWO\r\nLINES"), "last_name", "TWO\r\nLINES"),
        (person(103).with(ADDRESS, "A\n\nB\n\"C\",\nD"), "practice_address", "A\n\nB\n\"C\",\nD"),
        (person(104).with("Certification Date", "\nx").with(CITY, "A\nB"), "practice_city", "A\nB"),
        (person(105).with(CITY, &"line\n".repeat(40)), "practice_city", ""),
    ]
}

#[tokio::test]
async fn a_line_end_inside_a_quoted_field_is_part_of_the_row() {
    let good = crowd(0, 40);
    let people = broken_lines();
    for line_end in ["\n", "\r\n"] {
        let mut file = Pfile { line_end, ..week(0) };
        for (pair, (person, ..)) in good.chunks(2).zip(&people) {
            file = file.of(&pair[..1]).of(std::slice::from_ref(person)).of(&pair[1..]);
        }
        // The last row has one, too, and the last line of the file has no end.
        let registry = Registry::new().await;
        let csv = file.of(&[Provider::individual(110, "LAST\nONE", "X")]).csv();
        let path = registry.write(&week(0).csv_name(), &csv[..csv.len() - line_end.len()]);
        let outcome = registry.refreshes(&["--file", &path]).await;
        assert_eq!((outcome.count("loaded"), outcome.count("failed")), (19, 0), "{line_end:?}");
        for (person, column, value) in &people {
            if !value.is_empty() {
                registry.expect(person.npi, json!({*column: value})).await;
            }
            assert_eq!(line(&registry, person.npi).await, person.line() + "\n");
        }
        registry.expect(npi(100_000_110), json!({"last_name": "LAST\nONE"})).await;
    }
}

#[tokio::test]
async fn a_row_over_lines_that_is_bad_is_one_reject_with_its_first_line() {
    let bad = Provider::individual(77, "SPOILED\nBY", "X").with(UPDATED, "13/01/2025");
    let latin = spoiled("SPOILED", b"PE\n\xD1A");
    let file = week(0).of(&crowd(0, 2)).of(std::slice::from_ref(&bad)).line(latin.clone()).of(&crowd(2, 1)).line("bad");
    let registry = Registry::new().await;
    let outcome = registry.loads(&file, &LENIENT, 3).await;
    assert_eq!((outcome.count("loaded"), outcome.count("failed")), (3, 3));
    let rows = registry.clinic.rows("SELECT line, reason, raw FROM npi_rejects ORDER BY line").await;
    let rejects: Vec<(i64, String, Vec<u8>)> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let expected = [(4, "date", bad.line().into_bytes()), (6, "utf-8", latin), (9, "columns", b"bad".to_vec())];
    assert_eq!(rejects, expected.map(|(line, reason, raw)| (line, reason.to_owned(), raw)));
}

#[tokio::test]
async fn a_quote_that_is_never_closed_swallows_no_row_after_it() {
    let rows = crowd(0, 40);
    let cut = rows[30].line()[..200].to_owned();
    // Open at its end, in a file whose rows have line ends in their fields, are not quoted, or are none.
    let over_lines: Vec<_> = rows.iter().map(|row| row.clone().with(ADDRESS, "A\nB").line()).collect();
    let unquoted: Vec<_> = rows.iter().map(|row| row.line().replace('"', "")).collect();
    let plain: Vec<_> = rows.iter().map(Provider::line).collect();
    for (what, lines, rejected) in [("plain", plain, 1), ("over lines", over_lines, 1), ("unquoted", unquoted, 1)] {
        let mut file = week(0);
        for line in lines[..20].iter().chain([&cut]).chain(&lines[20..]) {
            file = file.line(line.clone());
        }
        let registry = Registry::new().await;
        let outcome = registry.loads(&file.line(cut.clone()), &LENIENT, 3).await;
        assert_eq!((outcome.count("loaded"), outcome.count("failed")), (40, rejected + 1), "{what}");
    }
}

#[tokio::test]
async fn rejected_lines_stay_with_the_file_they_came_from() {
    let registry = Registry::new().await;
    for number in 0..2 {
        let file = week(number).of(&crowd(0, 20)).line(format!("bad {number}"));
        registry.loads(&file, &LENIENT, 3).await;
    }
    let query = "SELECT array_agg(convert_from(raw, 'UTF8') || ' ' || line ORDER BY f.id) AS r
                 FROM npi_rejects r JOIN npi_files f ON f.id = r.file_id AND f.rejected = 1";
    assert_eq!(registry.clinic.json(query).await["r"], json!(["bad 0 22", "bad 1 22"]));
    assert_eq!(
        registry.load(&week(2).of(&crowd(0, 20)).line("bad"), &["--partial-ok", LENIENT[0], LENIENT[1]]).await.code,
        0
    );
}

#[tokio::test]
async fn the_ledger_has_all_that_is_known_of_a_file() {
    let registry = Registry::with(&week(0).of(&crowd(0, 10))).await;
    let mut rows = crowd(0, 12);
    rows[0] = rows[0].clone().with(LAST, "RENAMED");
    rows[1] = rows[1].clone().with(UPDATED, "11/30/2025");
    rows[2] = rows[2].clone().with(DEACTIVATED, "12/20/2025");
    rows.extend([Provider::organization(50, "CLINIC"), Provider::gone(51, "12/23/2025"), rows[3].clone()]);
    rows.push(Provider::organization(52, "GONE").with(DEACTIVATED, "12/24/2025"));
    let file = week(1).of(&rows).line("bad");
    let outcome = registry.loads(&file, &LENIENT, 3).await;
    super::outcomes(&outcome, [5, 2, 7, 1, 1, 3, 1]);
    let row = registry.clinic.json("SELECT * FROM npi_files ORDER BY id DESC LIMIT 1").await;
    let digest = ring::digest::digest(&ring::digest::SHA256, &file.csv());
    let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    for (key, value) in [
        ("name", json!(file.csv_name())),
        ("kind", json!("WEEKLY")),
        ("sha256", json!(digest)),
        ("bytes", json!(file.csv().len())),
        ("period_start", json!("2025-12-22")),
        ("period_end", json!("2025-12-28")),
        ("header", json!(quoted(file.columns.clone()))),
        ("rows", json!(17)),
        ("rows_0", json!(1)),
        ("rows_1", json!(13)),
        ("rows_2", json!(2)),
        ("deactivated", json!(3)),
        ("rejected", json!(1)),
        ("archived_to", json!(null)),
        ("run_id", outcome.report()["run_id"].clone()),
    ] {
        assert_eq!(row[key], value, "{key}: {row}");
    }
    assert!(row["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{row}");
    assert_eq!(outcome.report()["skipped_by_reason"], json!({"unchanged": 7, "older": 1, "duplicate": 1}));
}

#[tokio::test]
async fn a_file_of_many_rows_is_read_to_its_end() {
    let registry = Registry::new().await;
    let names: Vec<_> = crowd(0, 5000);
    let long = Provider::individual(9000, &"Z".repeat(3000), "X").with(ADDRESS, &"Y".repeat(70_000));
    let file = week(0).of(&names).of(std::slice::from_ref(&long)).of(&crowd(6000, 10));
    let path = registry.write(&file.weekly_name(), &file.zip());
    assert_eq!(registry.refreshes(&["--file", &path]).await.count("loaded"), 5011);
    assert_eq!(line(&registry, long.npi).await, long.line() + "\n");
}
