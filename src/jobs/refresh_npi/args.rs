//! The job's options.

use std::path::PathBuf;

use clap::Args;
use reqwest::Url;
use serde::Serialize;

use crate::arg::whole;
use crate::clients::address;

/// Load the new files of the national provider registry (NPPES)
#[derive(Args, Debug, Serialize)]
pub struct RefreshNpi {
    /// Where the page of the files is, NPI_Files.html
    #[arg(long, env = "ROUNDS_NPPES_URL", hide_env_values = true, value_name = "URL", default_value = "https://download.cms.gov/nppes/", value_parser = base)]
    #[serde(skip)]
    pub base_url: Url,
    /// Load the newest monthly file, which has everything, and then the weekly ones after it
    #[arg(long)]
    pub full: bool,
    /// Load this file instead of what the page has: a zip, or the main file in it (npidata_pfile_...csv)
    #[arg(long, value_name = "PATH", conflicts_with = "full")]
    pub file: Option<PathBuf>,
    /// Load again what was published again under its name, with another size or ETag; with --file: that file
    #[arg(long)]
    pub again: bool,
    /// Change nothing: say what the page has, what was loaded, and what would be
    #[arg(long)]
    #[serde(skip)]
    pub list: bool,
    /// Keep a copy of each loaded file there: file:///dir or s3://bucket/prefix, with the AWS_ variables
    #[arg(long, env = "ROUNDS_NPPES_ARCHIVE", hide_env_values = true, value_name = "URL", value_parser = address)]
    #[serde(skip)]
    pub archive: Option<Url>,
    /// Do not load a file of which more than this share of the lines cannot be read
    #[arg(long, env = "ROUNDS_MAX_REJECT_SHARE", value_name = "SHARE", default_value_t = 0.01, value_parser = share)]
    pub max_reject_share: f64,
    /// Load one file although it has less than half of the usual lines: for a person who has looked at it
    #[arg(long)]
    pub accept_fewer_rows: bool,
    /// How many connections copy a file into the database
    #[arg(long, env = "ROUNDS_NPPES_CONNECTIONS", value_name = "N", default_value_t = 2, value_parser = whole::<u32>(1..=2))]
    pub connections: u32,
}

/// Parses a URL, and gives it a slash at its end, so that names can be joined to it.
fn base(text: &str) -> Result<Url, String> {
    let url = address(&format!("{}/", text.trim_end_matches('/')))?;
    if matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err("must begin with https:// or http://".into()) }
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "a share is a number from 0 to 1, such as 0.01".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("must be from 0 to 1".to_owned()) }
}
