//! `currant modules`.

use clap::Subcommand;
use currant_core::Client;
use currant_core::ids::ModuleName;
use currant_core::modules::{self, Grants, Module, versions};
use serde::Serialize;

use crate::bulk::confirm_or;
use crate::context::Context;
use crate::diagnostics::{ExitStatus, Result};
use crate::printer::Style;
use crate::table::{Cell, Table};
use crate::times;

/// List the modules that are deployed, and what they may touch
#[derive(clap::Args, Debug)]
#[command(after_help = "\
A version that is not current any more is listed while workflows are open that began on it. Variables that were granted are shown by name,
never with their value.

Examples:
  currant modules
  currant modules --all
  currant modules delete shop 626d0ce33ca5")]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// List every version that was ever deployed
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Delete a module with its versions and grants, or one version. Refused while an open execution needs it
    Delete {
        /// The module
        #[arg(value_parser = ModuleName::parse)]
        module: ModuleName,
        /// Only this version, by the beginning of its digest
        #[arg(value_name = "DIGEST")]
        digest: Option<String>,
        /// Do it without asking
        #[arg(long)]
        yes: bool,
    },
}

/// A version of a module, with what it may touch.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    module: Module,
    /// Hosts and ports that it may reach.
    http: Vec<String>,
    /// Names of the variables that it gets.
    env: Vec<String>,
}

pub(crate) async fn run(args: Args, context: &Context<'_>) -> Result<ExitStatus> {
    if let Some(Action::Delete { module, digest, yes }) = args.action {
        return delete(context, &module, digest.as_deref(), yes).await;
    }
    let listed = listed(&context.client().await?, args.all).await?;
    if context.printer.is_json() {
        context.printer.json(&listed);
    } else if listed.is_empty() {
        context.printer.say("nothing is deployed");
        context.printer.hint("deploy a module: currant deploy MODULE.wasm");
    } else {
        table(&listed).print(context.printer);
    }
    Ok(ExitStatus::Done)
}

async fn delete(context: &Context<'_>, module: &ModuleName, version: Option<&str>, yes: bool) -> Result<ExitStatus> {
    let client = context.client().await?;
    let what = version.map_or_else(|| format!("module {module}"), |version| format!("version {version} of module {module}"));
    confirm_or(yes, &format!("delete {what}, so that what failed on it can no longer be retried?"), "say --yes")?;
    let deleted = versions::delete(client.pool(), module, version).await?;
    if context.printer.is_json() {
        context.printer.json(&serde_json::json!({ "module": module.as_str(), "deleted": deleted }));
    } else {
        let versions = if deleted.len() == 1 { "1 version is".to_owned() } else { format!("{} versions are", deleted.len()) };
        context.printer.say(&format!("{versions} deleted of {module}"));
    }
    Ok(ExitStatus::Done)
}

async fn listed(client: &Client, all: bool) -> Result<Vec<Listed>> {
    let mut listed = Vec::new();
    for module in client.modules().await? {
        if all || module.current || module.open_executions > 0 {
            let name = ModuleName::parse(&module.name).map_err(currant_core::Error::from)?;
            let Grants { http, env } = modules::grants(client.pool(), &name, None).await?.grants;
            listed.push(Listed { module, http, env: env.into_keys().collect() });
        }
    }
    Ok(listed)
}

fn table(listed: &[Listed]) -> Table {
    let mut table = Table::new(&["module", "version", "digest", "functions", "open workflows", "deployed", "may touch"]);
    for one in listed {
        let module = &one.module;
        let state = if module.current { Style::Plain } else { Style::Dim };
        let hosts = one.http.iter().map(|host| format!("http {host}"));
        let variables = one.env.iter().map(|name| format!("env {name}"));
        let grants: Vec<String> = hosts.chain(variables).collect();
        table.row([
            Cell::styled(state, if module.current { module.name.clone() } else { format!("{} (superseded)", module.name) }),
            module.version.as_deref().unwrap_or_default().into(),
            module.digest.short().into(),
            module.functions.to_string().into(),
            module.open_executions.to_string().into(),
            times::instant(module.deployed_at).into(),
            if grants.is_empty() { "nothing".into() } else { grants.join(", ").into() },
        ]);
    }
    table
}
