#[derive(clap::Args)]
pub struct DemoArgs {}
pub async fn command(_: &DemoArgs, _: &crate::cli::Global) -> crate::exit::Exit {
    crate::exit::Exit::Done
}
