//! Modules: components by digest, the functions that they offer, what they may touch, and how one becomes current.

pub mod versions;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{Connection, FromRow, PgConnection, PgPool, Row};

use crate::Error;
use crate::executions::{Kind, RetryPolicy, Timeouts};
use crate::ids::{Digest, EnvironmentId, FunctionName, ModuleName, QueueName, WorkerId};
use crate::limits::{COMPONENT_BYTES, INSPECTIONS};
use crate::sql;
use crate::values::Json;

/// What a module says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModuleDescription {
    /// Grants and deployments belong to this name.
    pub name: ModuleName,
    /// The author's version, for people.
    pub version: String,
    /// The SDK that it was made with.
    pub sdk: String,
    /// What it offers.
    pub functions: Vec<FunctionDescription>,
}

/// A function that a module offers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunctionDescription {
    /// Unique among all that is deployed.
    pub name: FunctionName,
    /// Task or workflow.
    pub kind: Kind,
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
    /// Where its executions wait; `default` if none.
    #[serde(default)]
    pub queue: Option<QueueName>,
    /// Higher goes first; 0 if none.
    #[serde(default)]
    pub priority: Option<i16>,
    /// None: the default of its kind.
    #[serde(default)]
    pub retry: Option<RetryPolicy>,
    /// How long things may take.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// JSON Schema of the input.
    #[serde(default)]
    pub input_schema: Option<Json>,
    /// JSON Schema of the result.
    #[serde(default)]
    pub result_schema: Option<Json>,
}

/// What a module may touch. Values of the environment may be secrets: they are never shown.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Grants {
    /// `host:port` pairs.
    #[serde(default)]
    pub http: Vec<String>,
    /// Names and values of variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

impl std::fmt::Debug for Grants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grants").field("http", &self.http).field("env", &self.env.keys()).finish()
    }
}

/// What is granted to a module now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Granted {
    /// All of it.
    pub grants: Grants,
    /// Which environment that is: a workflow that begins now stays in it.
    pub environment: EnvironmentId,
}

/// How far a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(rename_all = "lowercase", type_name = "text")]
pub enum DeploymentStatus {
    /// It waits for a worker's inspection.
    Requested,
    /// Its functions are served.
    Deployed,
    /// It is not served, for a reason.
    Refused,
}

/// The state of a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct Deployment {
    /// Its number.
    pub id: i64,
    /// How far it is.
    pub status: DeploymentStatus,
    /// The module's name, once it is known.
    pub module: Option<String>,
    /// The component.
    #[sqlx(try_from = "Vec<u8>")]
    pub digest: Digest,
    /// Why it was refused.
    pub reason: Option<String>,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// When it was decided.
    pub decided_at: Option<DateTime<Utc>>,
    /// Workers that could decide it.
    pub workers: i64,
}

/// A deployment that waits for its inspection.
#[derive(Debug)]
pub struct Requested {
    /// Its number.
    pub deployment: i64,
    /// The component.
    pub digest: Digest,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What an inspection came to.
#[derive(Debug)]
pub enum Verdict {
    /// It speaks our contract, and offers this.
    Deployed(ModuleDescription),
    /// Why it cannot be deployed.
    Refused(String),
}

/// A module's version, as people see it.
#[derive(Clone, Debug, Serialize, FromRow)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// The component.
    #[sqlx(try_from = "Vec<u8>")]
    pub digest: Digest,
    /// The author's version.
    pub version: Option<String>,
    /// The SDK that it was made with.
    pub sdk: Option<String>,
    /// Bytes.
    pub size: i32,
    /// When it was deployed last.
    pub deployed_at: DateTime<Utc>,
    /// Whether its functions are served by it now.
    pub current: bool,
    /// Functions that it serves now.
    pub functions: i64,
    /// Open workflows that are pinned to it.
    pub open_executions: i64,
}

/// A function, as people see it.
#[derive(Clone, Debug, Serialize)]
pub struct Function {
    /// Its name.
    pub name: FunctionName,
    /// The module that offers it.
    pub module: ModuleName,
    /// The component that serves it.
    pub digest: Digest,
    /// Task or workflow.
    pub kind: Kind,
    /// Where its executions wait.
    pub queue: QueueName,
    /// Higher goes first.
    pub priority: i16,
    /// None: the default of its kind.
    pub retry: Option<RetryPolicy>,
    /// None: no limits.
    pub timeouts: Option<Timeouts>,
    /// For people.
    pub description: Option<String>,
}

impl Function {
    /// The policy that holds when a caller says nothing else.
    pub fn retry(&self) -> RetryPolicy {
        self.retry.clone().unwrap_or_else(|| RetryPolicy::of(self.kind))
    }
}

/// Stores a component and asks for it to be made current. Without grants the module keeps those that it has.
pub async fn upload(pool: &PgPool, bytes: &[u8], take_over: bool, grants: Option<&Grants>) -> Result<i64, Error> {
    if bytes.len() > COMPONENT_BYTES {
        let message = format!("the component has {} bytes; {COMPONENT_BYTES} are allowed", bytes.len());
        return Err(Error::Invalid {
            message,
            hint: Some("strip debug information: a module of Rust needs under 1 MB".into()),
        });
    }
    let digest = Digest::of(bytes);
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    sqlx::query(sql::MODULES_STORE).bind(&digest.as_bytes()[..]).bind(bytes).execute(&mut *transaction).await?;
    let grants = grants.map(Json::of).transpose()?;
    let id = sqlx::query_scalar(sql::MODULES_REQUEST)
        .bind(&digest.as_bytes()[..])
        .bind(take_over)
        .bind(grants)
        .fetch_one(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(id)
}

/// The state of a deployment.
pub async fn deployment(pool: &PgPool, id: i64) -> Result<Deployment, Error> {
    let found = sqlx::query_as(sql::MODULES_DEPLOYMENT).bind(id).fetch_optional(pool).await?;
    found.ok_or_else(|| Error::NotFound(format!("there is no deployment {id}")))
}

/// Takes the next deployment that waits for an inspection. A component whose inspections begin and never end is refused.
pub async fn next_requested(pool: &PgPool, worker: WorkerId) -> Result<Option<Requested>, Error> {
    loop {
        let Some(row) = sqlx::query(sql::MODULES_NEXT_REQUESTED).fetch_optional(pool).await? else { return Ok(None) };
        let (deployment, inspections): (i64, i16) = (row.try_get("id")?, row.try_get("inspections")?);
        if inspections > INSPECTIONS {
            let reason = format!("{INSPECTIONS} inspections of it ended without an answer: it brings its inspector down");
            decide(pool, worker, deployment, Verdict::Refused(reason)).await?;
            continue;
        }
        let digest: Vec<u8> = row.try_get("digest")?;
        return Ok(Some(Requested { deployment, digest: digest.try_into()?, bytes: row.try_get("bytes")? }));
    }
}

/// Gives an inspection back that was broken off for a reason of ours.
pub async fn leave_inspection(pool: &PgPool, deployment: i64) -> Result<(), Error> {
    sqlx::query(sql::MODULES_LEAVE_INSPECTION).bind(deployment).execute(pool).await?;
    Ok(())
}

/// Writes what an inspection came to; a module whose functions collide with another's is refused here.
pub async fn decide(pool: &PgPool, worker: WorkerId, deployment: i64, verdict: Verdict) -> Result<Option<String>, Error> {
    match decide_once(pool, worker, deployment, &verdict).await {
        // A description that the database does not take would be inspected again and again.
        Err(error) if matches!(verdict, Verdict::Deployed(_)) && !error.is_retryable() => {
            let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            let refused = Verdict::Refused(format!("what it says of itself cannot be stored: {cause}"));
            decide_once(pool, worker, deployment, &refused).await
        }
        decided => decided,
    }
}

async fn decide_once(pool: &PgPool, worker: WorkerId, deployment: i64, verdict: &Verdict) -> Result<Option<String>, Error> {
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    let refusal = decide_in(&mut transaction, Some(worker), deployment, verdict).await?;
    transaction.commit().await?;
    Ok(refusal)
}

/// Decides in the caller's transaction. Nobody in particular is no worker, but who goes back to what was inspected before.
async fn decide_in(
    connection: &mut PgConnection,
    worker: Option<WorkerId>,
    deployment: i64,
    verdict: &Verdict,
) -> Result<Option<String>, Error> {
    let locked = sqlx::query(sql::MODULES_LOCK_DEPLOYMENT).bind(deployment).fetch_optional(&mut *connection).await?;
    // Another worker was faster.
    let Some(row) = locked else { return Ok(None) };
    let refusal = match verdict {
        Verdict::Refused(reason) => Some(reason.clone()),
        Verdict::Deployed(description) => {
            sqlx::query(sql::MODULES_LOCK_FUNCTIONS).execute(&mut *connection).await?;
            let take_over: bool = row.try_get("take_over")?;
            match collision(connection, description, take_over).await? {
                Some(reason) => Some(reason),
                None => {
                    make_current(connection, deployment, row.try_get("digest")?, description).await?;
                    None
                }
            }
        }
    };
    sqlx::query(sql::MODULES_DECIDE).bind(deployment).bind(worker).bind(&refusal).execute(connection).await?;
    Ok(refusal)
}

/// A name that is offered twice, that belongs to another module, or that would change its kind.
async fn collision(
    connection: &mut PgConnection,
    description: &ModuleDescription,
    take_over: bool,
) -> Result<Option<String>, Error> {
    let names: Vec<_> = description.functions.iter().map(|function| function.name.as_str()).collect();
    let twice = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name));
    if let Some((_, name)) = twice {
        return Ok(Some(format!("it offers two functions named `{name}`")));
    }
    let taken = sqlx::query(sql::MODULES_TAKEN_NAMES).bind(names).fetch_all(connection).await?;
    for row in &taken {
        let (name, kind): (String, String) = (row.try_get("name")?, row.try_get("kind")?);
        let module: Option<String> = row.try_get("module")?;
        if let Some(module) = module.filter(|module| module != description.name.as_str() && !take_over) {
            return Ok(Some(format!(
                "its function `{name}` belongs to module `{module}`: rename it, or deploy with --take-over to take the name over"
            )));
        }
        let new = description.functions.iter().find(|function| function.name.as_str() == name);
        if let Some(new) = new.filter(|new| new.kind.as_str() != kind) {
            let new = new.kind.as_str();
            return Ok(Some(format!("its {new} `{name}` is known as a {kind}: a name keeps its kind, so choose another name")));
        }
    }
    Ok(None)
}

async fn make_current(
    connection: &mut PgConnection,
    deployment: i64,
    digest: Vec<u8>,
    description: &ModuleDescription,
) -> Result<(), Error> {
    let functions = &description.functions;
    let timeouts = |limits: &Timeouts| Some(limits).filter(|l| !l.is_empty()).map(Json::of).transpose();
    sqlx::query(sql::MODULES_DESCRIBE).bind(&digest).bind(Json::of(description)?).execute(&mut *connection).await?;
    sqlx::query(sql::MODULES_DROP_FUNCTIONS)
        .bind(description.name.as_str())
        .bind(functions.iter().map(|function| function.name.as_str()).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    sqlx::query(sql::MODULES_PUT_FUNCTIONS)
        .bind(description.name.as_str())
        .bind(&digest)
        .bind(functions.iter().map(|function| function.name.as_str()).collect::<Vec<_>>())
        .bind(functions.iter().map(|function| function.kind.as_str()).collect::<Vec<_>>())
        .bind(functions.iter().map(|function| function.queue.as_ref().map_or("default", QueueName::as_str)).collect::<Vec<_>>())
        .bind(functions.iter().map(|function| function.priority.unwrap_or(0)).collect::<Vec<_>>())
        .bind(functions.iter().map(|f| f.retry.as_ref().map(Json::of).transpose()).collect::<Result<Vec<_>, _>>()?)
        .bind(functions.iter().map(|function| timeouts(&function.timeouts)).collect::<Result<Vec<_>, _>>()?)
        .bind(functions.iter().map(|function| function.description.as_deref()).collect::<Vec<_>>())
        .bind(functions.iter().map(|function| function.input_schema.clone()).collect::<Vec<_>>())
        .bind(functions.iter().map(|function| function.result_schema.clone()).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    sqlx::query(sql::MODULES_PUT_GRANTS).bind(deployment).bind(description.name.as_str()).execute(&mut *connection).await?;
    sqlx::query(sql::MAINTENANCE_UNPARK).bind(i64::from(i32::MAX)).execute(connection).await?;
    Ok(())
}

/// The bytes of a component.
pub async fn bytes(pool: &PgPool, digest: &Digest) -> Result<Vec<u8>, Error> {
    let found: Option<Option<Vec<u8>>> =
        sqlx::query_scalar(sql::MODULES_BYTES).bind(&digest.as_bytes()[..]).fetch_optional(pool).await?;
    found
        .flatten()
        .ok_or_else(|| Error::NotFound(format!("there is no module {digest}, or it was dropped as nothing needed it")))
}

/// What a module may touch now, in this environment, or else in the current one.
pub async fn grants(pool: &PgPool, module: &ModuleName, environment: Option<EnvironmentId>) -> Result<Granted, Error> {
    let row = sqlx::query(sql::MODULES_GRANTS).bind(module.as_str()).bind(environment).fetch_one(pool).await?;
    let environment: EnvironmentId = row.try_get("environment")?;
    let env = match row.try_get::<Option<Json>, _>("variables")? {
        Some(variables) => serde_json::from_str(variables.as_str())?,
        None if environment.is_empty() => BTreeMap::new(),
        None => return Err(Error::NotFound(format!("environment {environment} of module {module} was deleted"))),
    };
    Ok(Granted { grants: Grants { http: row.try_get("http")?, env }, environment })
}

/// Every version of every module, the newest deployment first.
pub async fn list(pool: &PgPool) -> Result<Vec<Module>, Error> {
    Ok(sqlx::query_as(sql::MODULES_LIST).fetch_all(pool).await?)
}

/// Every function that is served now, by name.
pub async fn functions(pool: &PgPool) -> Result<Vec<Function>, Error> {
    let rows = sqlx::query(sql::MODULES_FUNCTIONS).fetch_all(pool).await?;
    rows.iter().map(read_function).collect()
}

/// The function of this name.
pub async fn function(pool: &PgPool, name: &FunctionName) -> Result<Option<Function>, Error> {
    Ok(functions(pool).await?.into_iter().find(|function| function.name == *name))
}

/// The served function whose name is most like this one, if any is like it.
pub async fn nearest(pool: &PgPool, name: &str) -> Result<Option<String>, Error> {
    let served = functions(pool).await?.into_iter().map(|function| function.name.to_string());
    let likeness = |other: &String| strsim::jaro_winkler(name, other);
    let best = served.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    Ok(best.filter(|best| likeness(best) > 0.75))
}

fn read_function(row: &sqlx::postgres::PgRow) -> Result<Function, Error> {
    let digest: Vec<u8> = row.try_get("digest")?;
    let (retry, timeouts): (Option<Json>, Option<Json>) = (row.try_get("retry")?, row.try_get("timeouts")?);
    Ok(Function {
        name: row.try_get("name")?,
        module: row.try_get("module")?,
        digest: digest.try_into()?,
        kind: row.try_get("kind")?,
        queue: row.try_get("queue")?,
        priority: row.try_get("priority")?,
        retry: retry.map(|policy| serde_json::from_str(policy.as_str())).transpose()?,
        timeouts: timeouts.map(|limits| serde_json::from_str(limits.as_str())).transpose()?,
        description: row.try_get("description")?,
    })
}
