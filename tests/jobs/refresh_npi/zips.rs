//! What is not the zip that it should be: a clear error, and nothing has changed.

use crate::support::nppes::{Pfile, Registry, crowd, week, zip_of};

fn weekly() -> Pfile {
    week(1).of(&crowd(0, 200))
}

/// Changes the last place where these bytes are.
fn patch(mut zip: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    let place = zip.windows(from.len()).rposition(|window| window == from).expect("it is there");
    zip[place..place + to.len()].copy_from_slice(to);
    zip
}

/// Says that the main file is so long.
fn lies_about_its_length(length: u32) -> Vec<u8> {
    let zip = weekly().zip();
    let real = u32::try_from(weekly().csv().len()).expect("small").to_le_bytes();
    patch(zip, &real, &length.to_le_bytes())
}

#[tokio::test]
async fn a_bad_zip_is_an_error_that_names_the_file() {
    let csv = weekly().csv();
    let (name, zip) = (weekly().csv_name(), weekly().zip());
    let flipped = {
        let mut zip = zip.clone();
        let middle = zip.len() / 2;
        zip[middle] ^= 0x55;
        zip
    };
    let second = week(2).csv_name();
    let above = format!("../{name}");
    let inside = format!("data/{name}");
    let root = format!("/tmp/{name}");
    let windows = format!("..\\{name}");
    let other = name.replace("npidata", "othername");
    let header = name.replace(".csv", "_fileheader.csv");
    let bomb = [&csv[..], &vec![b' '; 64 << 20]].concat();
    for (what, bytes, code) in [
        ("a page", b"<!DOCTYPE html><html>Sorry</html>".to_vec(), "NPPES_NOT_A_ZIP"),
        ("nothing", vec![], "NPPES_NOT_A_ZIP"),
        ("the CSV itself", csv.clone(), "NPPES_NOT_A_ZIP"),
        ("cut", zip[..zip.len() / 2].to_vec(), "NPPES_BAD_ZIP"),
        ("cut by a byte", zip[..zip.len() - 1].to_vec(), "NPPES_BAD_ZIP"),
        ("flipped", flipped, "NPPES_BAD_ZIP"),
        ("two main files", zip_of(&[(&name, &csv), (&second, &csv)]), "NPPES_BAD_ZIP"),
        ("no main file", zip_of(&[(&other, &csv), (&header, &csv)]), "NPPES_BAD_ZIP"),
        ("no files", zip_of(&[]), "NPPES_NOT_A_ZIP"),
        ("a path up", zip_of(&[(&above, &csv)]), "NPPES_BAD_ZIP"),
        ("a path down", zip_of(&[(&inside, &csv)]), "NPPES_BAD_ZIP"),
        ("a path from the root", zip_of(&[(&root, &csv)]), "NPPES_BAD_ZIP"),
        ("a path of Windows", zip_of(&[(&windows, &csv)]), "NPPES_BAD_ZIP"),
        ("a bomb", zip_of(&[(&name, &bomb)]), "NPPES_BAD_ZIP"),
        ("longer than it says", lies_about_its_length(1000), "NPPES_BAD_ZIP"),
        ("shorter than it says", lies_about_its_length(1 << 30), "NPPES_BAD_ZIP"),
    ] {
        let registry = Registry::with(&week(0).of(&crowd(0, 20))).await;
        let path = registry.write(&weekly().weekly_name(), &bytes);
        let message = registry.refuses(&["--file", &path, "--max-reject-share", "1"], code).await;
        assert!(message.contains(&weekly().weekly_name()), "{what}: {message}");
        registry.site.publish(&weekly().weekly_name(), bytes);
        registry.refuses(&["--max-reject-share", "1", "--attempts", "2"], code).await;
    }
}

/// A zip of these files in which the way of compression has this number, and the flags these bits besides.
fn marked(method: u16, flags: u16) -> Vec<u8> {
    let mut zip = weekly().zip();
    let starts = |zip: &[u8], magic: &[u8]| -> Vec<usize> {
        zip.windows(4).enumerate().filter(|(_, window)| *window == magic).map(|(at, _)| at).collect()
    };
    for (magic, place) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        for at in starts(&zip, magic) {
            zip[at + place] |= flags as u8;
            zip[at + place + 2..at + place + 4].copy_from_slice(&method.to_le_bytes());
        }
    }
    zip
}

#[tokio::test]
async fn a_way_of_compression_that_is_not_read_is_named_with_what_to_do() {
    let registry = Registry::with(&week(0).of(&crowd(0, 20))).await;
    for (method, flags, words) in [
        (9, 0, &["Deflate64", "method 9", "--file", "zip it again"][..]),
        (12, 0, &["bzip2", "--file"]),
        (14, 0, &["LZMA", "--file"]),
        (93, 0, &["Zstandard", "--file"]),
        (98, 0, &["method 98", "--file"]),
        (8, 1, &["encrypted", "--file"]),
    ] {
        let path = registry.write(&weekly().weekly_name(), &marked(method, flags));
        let message = registry.refuses(&["--file", &path], "NPPES_BAD_ZIP").await;
        for word in words.iter().chain([&weekly().weekly_name()[..]].iter()) {
            assert!(message.contains(word), "{method}: {word}: {message}");
        }
        assert!(!message.contains("damaged"), "{method}: {message}");
    }
    // What is beside the main file is not read, so it may be packed in any way.
    let path = registry.write(&weekly().weekly_name(), &weekly().zip());
    registry.refreshes(&["--file", &path]).await;
}

#[tokio::test]
async fn the_period_of_a_zip_is_that_of_the_main_file_in_it() {
    let registry = Registry::new().await;
    let path = registry.write(&week(7).weekly_name(), &weekly().zip());
    registry.refreshes(&["--file", &path]).await;
    let period = registry.clinic.json("SELECT period_start AS s, period_end AS e FROM npi_files").await;
    assert_eq!((&period["s"], &period["e"]), (&"2025-12-22".into(), &"2025-12-28".into()));
}

#[tokio::test]
async fn a_header_that_lacks_something_is_an_error_that_names_it() {
    for missing in ["NPI", "Entity Type Code", "Last Update Date", "Provider Last Name (Legal Name)"] {
        let registry = Registry::with(&week(0).of(&crowd(0, 20))).await;
        let mut file = week(1);
        file.columns.retain(|column| *column != missing);
        let path = registry.write(&file.csv_name(), &file.of(&crowd(0, 20)).csv());
        let message = registry.refuses(&["--file", &path], "NPPES_HEADER").await;
        assert!(message.contains(missing), "{message}");
    }
    let registry = Registry::new().await;
    for bytes in [&b""[..], b"\n", b"\"a\",\"b\"\n", b"<html></html>\n"] {
        let path = registry.write(&week(0).csv_name(), bytes);
        registry.refuses(&["--file", &path], "NPPES_HEADER").await;
    }
}
