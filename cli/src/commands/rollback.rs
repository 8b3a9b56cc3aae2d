//! `currant rollback`.

use currant_core::ids::ModuleName;
use currant_core::modules::versions;

use crate::context::Context;
use crate::diagnostics::{ExitStatus, Result};

/// Make the version of a module current again that was deployed before
#[derive(clap::Args, Debug)]
#[command(after_help = "\
It holds at once, and needs no worker. As with any deployment, workflows that began on another version stay there, and tasks follow. Grants stay
as they are. A second rollback takes the first one back.

Examples:
  currant rollback shop
  currant rollback shop --to 626d0ce33ca5")]
pub(crate) struct Args {
    /// The module
    #[arg(value_parser = ModuleName::parse)]
    module: ModuleName,
    /// To this version, by the beginning of its digest
    #[arg(long, value_name = "DIGEST")]
    to: Option<String>,
}

pub(crate) async fn run(args: Args, context: &Context<'_>) -> Result<ExitStatus> {
    let client = context.client().await?;
    let done = versions::roll_back(client.pool(), &args.module, args.to.as_deref()).await?;
    if context.printer.is_json() {
        context.printer.json(&done);
        return Ok(ExitStatus::Done);
    }
    let from = done.from.map(|from| format!(", sha256:{} is not any more", from.short())).unwrap_or_default();
    context.printer.say(&format!("sha256:{} is the current version of {}{from}", done.to.short(), args.module));
    Ok(ExitStatus::Done)
}
