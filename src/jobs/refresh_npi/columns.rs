//! The positions of the columns in a line, which the names of the header tell. Their order may be any.

use std::collections::HashMap;

use crate::error::{Error, ErrorKind};

/// How many taxonomies a row may have, each in numbered columns.
const TAXONOMIES: usize = 15;

/// The positions of the columns that are stored in columns of their own.
#[derive(Debug)]
pub struct Columns {
    /// The number of columns of a line.
    pub count: usize,
    pub npi: usize,
    pub entity_type: usize,
    pub replacement: usize,
    pub organization: usize,
    pub last: usize,
    pub first: usize,
    pub middle: usize,
    pub credential: usize,
    pub other_organization: usize,
    pub other_organization_kind: Option<usize>,
    pub other_last: usize,
    pub other_first: Option<usize>,
    pub other_middle: Option<usize>,
    pub other_last_kind: Option<usize>,
    pub mailing: Address,
    pub practice: Address,
    pub enumerated: usize,
    pub updated: usize,
    pub deactivation_code: usize,
    pub deactivated: usize,
    pub reactivated: usize,
    pub sex: usize,
    pub taxonomies: Vec<Taxonomy>,
}

#[derive(Debug)]
pub struct Address {
    pub lines: [usize; 2],
    pub city: usize,
    pub state: usize,
    pub zip: usize,
    pub country: usize,
    pub phone: usize,
    pub fax: usize,
}

#[derive(Debug)]
pub struct Taxonomy {
    pub code: usize,
    pub licence: usize,
    pub state: usize,
    pub primary: usize,
}

/// Known columns that only the raw row keeps. With this list a run can warn of columns that are new.
const RAW_ONLY: [&str; 19] = [
    "Employer Identification Number (EIN)",
    "Provider Name Prefix Text",
    "Provider Name Suffix Text",
    "Provider Other Name Prefix Text",
    "Provider Other Name Suffix Text",
    "Provider Other Credential Text",
    "Authorized Official Last Name",
    "Authorized Official First Name",
    "Authorized Official Middle Name",
    "Authorized Official Title or Position",
    "Authorized Official Telephone Number",
    "Is Sole Proprietor",
    "Is Organization Subpart",
    "Parent Organization LBN",
    "Parent Organization TIN",
    "Authorized Official Name Prefix Text",
    "Authorized Official Name Suffix Text",
    "Authorized Official Credential Text",
    "Certification Date",
];
const RAW_ONLY_FAMILIES: [&str; 5] = [
    "Other Provider Identifier_",
    "Other Provider Identifier Type Code_",
    "Other Provider Identifier State_",
    "Other Provider Identifier Issuer_",
    "Healthcare Provider Taxonomy Group_",
];

/// A header: it finds columns by name, and remembers which were found.
struct Header<'a> {
    positions: HashMap<&'a str, usize>,
    used: Vec<bool>,
}

impl Header<'_> {
    fn find(&mut self, name: &str) -> Option<usize> {
        let position = *self.positions.get(name)?;
        self.used[position] = true;
        Some(position)
    }

    fn required(&mut self, name: &str) -> Result<usize, Error> {
        self.find(name).ok_or_else(|| {
            let message = format!("the column \"{name}\" is missing in the header; nothing of the file was loaded");
            Error::new("NPPES_HEADER", ErrorKind::Other, message)
        })
    }

    fn address(&mut self, kind: &str) -> Result<Address, Error> {
        let mut column = |name: &str| self.required(&name.replace("{}", kind));
        Ok(Address {
            lines: [
                column("Provider First Line Business {} Address")?,
                column("Provider Second Line Business {} Address")?,
            ],
            city: column("Provider Business {} Address City Name")?,
            state: column("Provider Business {} Address State Name")?,
            zip: column("Provider Business {} Address Postal Code")?,
            country: column("Provider Business {} Address Country Code (If outside U.S.)")?,
            phone: column("Provider Business {} Address Telephone Number")?,
            fax: column("Provider Business {} Address Fax Number")?,
        })
    }

    fn taxonomy(&mut self, number: usize) -> Result<Taxonomy, Error> {
        let mut column = |name: &str| self.required(&format!("{name}_{number}"));
        Ok(Taxonomy {
            code: column("Healthcare Provider Taxonomy Code")?,
            licence: column("Provider License Number")?,
            state: column("Provider License Number State Code")?,
            primary: column("Healthcare Provider Primary Taxonomy Switch")?,
        })
    }
}

impl Columns {
    /// Reads a header; also returns the names of unknown columns.
    pub fn of(names: &[&str]) -> Result<(Self, Vec<String>), Error> {
        let positions = names.iter().enumerate().map(|(position, name)| (*name, position)).collect();
        let mut header = Header { positions, used: vec![false; names.len()] };
        let first = header.taxonomy(1)?;
        let mut taxonomies = vec![first];
        for number in 2..=TAXONOMIES {
            if header.find(&format!("Healthcare Provider Taxonomy Code_{number}")).is_some() {
                taxonomies.push(header.taxonomy(number)?);
            }
        }
        let sex = match header.find("Provider Gender Code") {
            Some(sex) => sex,
            None => header.required("Provider Sex Code")?,
        };
        let columns = Self {
            count: names.len(),
            npi: header.required("NPI")?,
            entity_type: header.required("Entity Type Code")?,
            replacement: header.required("Replacement NPI")?,
            organization: header.required("Provider Organization Name (Legal Business Name)")?,
            last: header.required("Provider Last Name (Legal Name)")?,
            first: header.required("Provider First Name")?,
            middle: header.required("Provider Middle Name")?,
            credential: header.required("Provider Credential Text")?,
            other_organization: header.required("Provider Other Organization Name")?,
            other_organization_kind: header.find("Provider Other Organization Name Type Code"),
            other_last: header.required("Provider Other Last Name")?,
            other_first: header.find("Provider Other First Name"),
            other_middle: header.find("Provider Other Middle Name"),
            other_last_kind: header.find("Provider Other Last Name Type Code"),
            mailing: header.address("Mailing")?,
            practice: header.address("Practice Location")?,
            enumerated: header.required("Provider Enumeration Date")?,
            updated: header.required("Last Update Date")?,
            deactivation_code: header.required("NPI Deactivation Reason Code")?,
            deactivated: header.required("NPI Deactivation Date")?,
            reactivated: header.required("NPI Reactivation Date")?,
            sex,
            taxonomies,
        };
        let known =
            |name: &str| RAW_ONLY.contains(&name) || RAW_ONLY_FAMILIES.iter().any(|family| name.starts_with(family));
        let unknown = names.iter().zip(&header.used).filter(|(name, used)| !**used && !known(name));
        Ok((columns, unknown.map(|(name, _)| (*name).to_owned()).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn real() -> Vec<String> {
        let text = include_str!("../../../tests/data/nppes/header_v2.csv");
        text.trim_end().trim_matches('"').split("\",\"").map(String::from).collect()
    }

    fn of(names: &[String]) -> Result<(Columns, Vec<String>), Error> {
        Columns::of(&names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[test]
    fn the_real_header_is_known_in_full() {
        let (columns, unknown) = of(&real()).unwrap();
        assert_eq!((columns.count, columns.taxonomies.len(), unknown.len()), (330, 15, 0));
        assert_eq!((columns.npi, columns.practice.zip, columns.updated, columns.sex), (0, 32, 37, 41));
    }

    #[test]
    fn columns_are_found_by_name_and_not_by_place() {
        let mut names = real();
        names.reverse();
        names.push("Favourite Colour".into());
        names
            .iter_mut()
            .filter(|name| *name == "Provider Sex Code")
            .for_each(|name| *name = "Provider Gender Code".into());
        let (columns, unknown) = of(&names).unwrap();
        assert_eq!((columns.npi, unknown), (329, vec!["Favourite Colour".to_owned()]));
        for missing in ["NPI", "Last Update Date", "Provider Gender Code", "Provider License Number_1"] {
            let names: Vec<String> = names.iter().filter(|name| *name != missing).cloned().collect();
            let error = of(&names).unwrap_err();
            let named = missing.replace("Gender", "Sex");
            assert!(error.code == "NPPES_HEADER" && error.message.contains(&named), "{error}");
        }
    }
}
