//! `currant deploy`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use currant_core::Client;
use currant_core::durations;
use currant_core::executions::Kind;
use currant_core::ids::Digest;
use currant_core::modules::{self, Deployment, DeploymentStatus, Grants};
use serde_json::json;

use crate::commands::functions;
use crate::component;
use crate::context::Context;
use crate::diagnostics::{ExitStatus, Problem, Result, causes};

/// How often the verdict is looked for. Inspecting takes a second and more, so that asking oftener would not be noticed.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Deploy a module: check it, store it, and wait until a worker has inspected it
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Executions that run stay on the version that they began on, and workflows in its environment; new ones begin on this one. No worker restarts.
If no worker answers in time, the module is stored and is decided as soon as one runs; that ends with 3.
A deployment that names grants replaces those of the module; one that names none keeps them.

Examples:
  currant deploy target/wasm32-wasip2/release/orders.wasm
  currant deploy shop.wasm --allow-http api.stripe.com:443 --env STRIPE_KEY --env REGION=eu")]
pub(crate) struct Args {
    /// The component
    #[arg(value_name = "MODULE.wasm")]
    module: PathBuf,
    /// Let its tasks and steps reach this host and port over HTTP; may be given several times
    #[arg(long, value_name = "HOST:PORT", value_parser = host_and_port)]
    allow_http: Vec<String>,
    /// Set a variable in its environment, with the value given here or the one that it has in yours; may be given several times
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Let it take over functions that belong to another module
    #[arg(long)]
    take_over: bool,
    /// How long to wait for a worker
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = durations::parse)]
    timeout: Duration,
    /// Store it, and do not wait
    #[arg(long, conflicts_with = "timeout")]
    no_wait: bool,
}

pub(crate) async fn run(args: Args, context: &Context<'_>) -> Result<ExitStatus> {
    let bytes = read(&args.module)?;
    let file = args.module.display();
    component::check(&bytes)
        .map_err(|refusal| Problem::failed(format!("{file} {}", refusal.sentence())).hint(refusal.hint()))?;
    let grants = grants(&args, context)?;

    let client = context.client().await?;
    let digest = Digest::of(&bytes);
    let deployment = modules::upload(client.pool(), &bytes, args.take_over, grants.as_ref()).await?;
    context.printer.say(&format!("stored {file}, {} KiB, sha256:{}", bytes.len().div_ceil(1024), digest.short()));
    if args.no_wait {
        return Ok(stored(context, deployment, &digest));
    }
    match verdict(context, &client, deployment, args.timeout).await? {
        Some(decided) => show(context, &client, &decided, &digest).await,
        None => Err(unanswered(&args, &client, deployment).await?),
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let build = component::build_of(path);
    let then = "deploy the .wasm file that it makes";
    if path.is_dir() {
        let problem = Problem::usage(format!("{} is a folder", path.display()));
        return Err(match build {
            Some(build) => problem.hint(format!("build it: {build}")).hint(then),
            None => problem.hint("name the .wasm file that the build made"),
        });
    }
    if let Some(build) = build.as_ref().filter(|_| path.exists()) {
        let problem = Problem::failed(format!("{} is source code, not a component", path.display()));
        return Err(problem.hint(format!("build it: {build}")).hint(then));
    }
    let unreadable = |error: std::io::Error| {
        let problem = Problem::usage(format!("cannot read {}: {}", path.display(), causes(&error)));
        match error.kind() {
            std::io::ErrorKind::NotFound => problem
                .hint(format!("build it first: {}", build.as_deref().unwrap_or(component::RUST_BUILD)))
                .hint("what the build made has a name that ends in .wasm"),
            _ => problem,
        }
    };
    std::fs::read(path).map_err(unreadable)
}

fn host_and_port(text: &str) -> std::result::Result<String, String> {
    let reason = || format!("`{text}` is not HOST:PORT; write for example api.stripe.com:443");
    let (host, port) = text.rsplit_once(':').ok_or_else(reason)?;
    let plain = !host.is_empty() && !host.contains(['/', ' ', '@']);
    (plain && port.parse::<u16>().is_ok_and(|port| port > 0)).then(|| text.to_ascii_lowercase()).ok_or_else(reason)
}

/// The grants that come with the deployment; none if none are named, so that the module keeps those that it has.
fn grants(args: &Args, context: &Context<'_>) -> Result<Option<Grants>> {
    if args.allow_http.is_empty() && args.env.is_empty() {
        return Ok(None);
    }
    let mut variables = BTreeMap::new();
    for variable in &args.env {
        let (name, value) = match variable.split_once('=') {
            Some((name, value)) => (name, value),
            None => {
                let value = context.environment.get(variable);
                let missing = || {
                    Problem::usage(format!(
                        "--env {variable}: your environment has no such variable, and {variable}=VALUE was not given"
                    ))
                };
                (variable.as_str(), value.ok_or_else(missing)?)
            }
        };
        if name.is_empty() || name.contains('\0') {
            return Err(Problem::usage(format!("--env {variable}: a variable needs a name")));
        }
        variables.insert(name.to_owned(), value.to_owned());
    }
    Ok(Some(Grants { http: args.allow_http.clone(), env: variables }))
}

/// Waits for a worker's decision; none if there is none in time.
async fn verdict(context: &Context<'_>, client: &Client, deployment: i64, timeout: Duration) -> Result<Option<Deployment>> {
    let began = Instant::now();
    let mut warned = false;
    loop {
        let found = modules::deployment(client.pool(), deployment).await?;
        if found.status != DeploymentStatus::Requested {
            return Ok(Some(found));
        }
        if began.elapsed() >= timeout {
            return Ok(None);
        }
        if !warned && began.elapsed() > Duration::from_secs(1) && found.workers == 0 {
            context.printer.say("no worker runs: waiting for one (start it: currant worker)");
            warned = true;
        }
        tokio::time::sleep(ASK_EVERY.min(timeout)).await;
    }
}

async fn show(context: &Context<'_>, client: &Client, decided: &Deployment, digest: &Digest) -> Result<ExitStatus> {
    let name = decided.module.clone().unwrap_or_default();
    let offered: Vec<_> = client.functions().await?.into_iter().filter(|function| function.module.as_str() == name).collect();
    let json = |functions: serde_json::Value| {
        json!({
            "deployment": decided.id,
            "status": decided.status,
            "module": decided.module,
            "digest": digest,
            "reason": decided.reason,
            "functions": functions,
        })
    };
    if decided.status == DeploymentStatus::Refused {
        if context.printer.is_json() {
            context.printer.json(&json(json!([])));
        }
        let reason = decided.reason.as_deref().unwrap_or("no reason was given");
        return Err(Problem::failed(format!("the module is refused: {reason}"))
            .hint("what is deployed stays as it was; mend it, and deploy it again"));
    }
    if context.printer.is_json() {
        context.printer.json(&json(json!(offered)));
        return Ok(ExitStatus::Done);
    }
    functions::print(context.printer, &offered);
    context.printer.say(&format!("deployed {name}, sha256:{digest}"));
    let workflow = offered.iter().find(|function| function.kind == Kind::Workflow);
    if let Some(function) = workflow.or(offered.first()) {
        context.printer.hint(&format!("start one: currant start {} --input JSON --wait", function.name));
    }
    Ok(ExitStatus::Done)
}

fn stored(context: &Context<'_>, deployment: i64, digest: &Digest) -> ExitStatus {
    if context.printer.is_json() {
        context.printer.json(&json!({ "deployment": deployment, "status": "requested", "digest": digest }));
    } else {
        context.printer.say("a worker decides; see then: currant modules");
    }
    ExitStatus::Done
}

async fn unanswered(args: &Args, client: &Client, deployment: i64) -> Result<Problem> {
    let waited = durations::format(args.timeout);
    let stored = format!("the module is stored (deployment {deployment}) and is decided as soon as one does");
    Ok(match modules::deployment(client.pool(), deployment).await?.workers > 0 {
        true => {
            Problem::no_answer(format!("no worker has decided within {waited}; {stored}")).hint("wait longer: --timeout 5m")
        }
        false => Problem::no_answer(format!("no worker runs; after {waited} {stored}")).hint("start one: currant worker"),
    })
}
