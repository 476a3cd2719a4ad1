use super::clinic::Site;
use super::form::Form;
use super::tally::Tally;
pub async fn prove(_site: Site, _form: &'static Form) -> Vec<Tally> { vec![] }
