//! Versions of a module: back to an earlier one, and away with those that nothing needs.

use serde::Serialize;
use sqlx::{Connection, PgPool, Row};

use super::{Module, ModuleDescription, Verdict, decide_in};
use crate::Error;
use crate::ids::{Digest, ModuleName};
use crate::sql;
use crate::values::Json;

/// What a rollback did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RolledBack {
    /// What was current.
    pub from: Option<Digest>,
    /// What is current now.
    pub to: Digest,
}

/// Makes an earlier version current again, at once and without a worker: it was inspected when it was deployed. Without a digest, or the
/// beginning of one, the version that was deployed before the current one.
pub async fn roll_back(pool: &PgPool, module: &ModuleName, to: Option<&str>) -> Result<RolledBack, Error> {
    let versions = versions_of(pool, module).await?;
    let from = versions.iter().find(|version| version.current).map(|version| version.digest);
    let target = match to {
        Some(prefix) => chosen(&versions, module, prefix)?,
        None => versions.iter().find(|version| !version.current).ok_or_else(|| Error::Conflict {
            message: format!("module `{module}` has no earlier version"),
            hint: Some("show every version: currant modules --all".into()),
        })?,
    };
    if target.current {
        let message = format!("version sha256:{} of module `{module}` is the current one", target.digest.short());
        return Err(Error::Conflict { message, hint: None });
    }
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    let row = sqlx::query(sql::MODULES_VERSION).bind(&target.digest.as_bytes()[..]).fetch_one(&mut *transaction).await?;
    let (description, is_whole): (Option<Json>, bool) = (row.try_get("description")?, row.try_get("is_whole")?);
    let Some(description) = description.filter(|_| is_whole) else {
        let message = format!("the bytes of version sha256:{} were dropped, as nothing needed them", target.digest.short());
        return Err(Error::Conflict { message, hint: Some("deploy its file again".into()) });
    };
    let description: ModuleDescription = serde_json::from_str(description.as_str())?;
    let deployment: i64 = sqlx::query_scalar(sql::MODULES_REQUEST)
        .bind(&target.digest.as_bytes()[..])
        .bind(false)
        .bind(None::<Json>)
        .fetch_one(&mut *transaction)
        .await?;
    match decide_in(&mut transaction, None, deployment, &Verdict::Deployed(description)).await? {
        None => transaction.commit().await?,
        Some(reason) => return Err(Error::Conflict { message: format!("it cannot be current again: {reason}"), hint: None }),
    }
    Ok(RolledBack { from, to: target.digest })
}

/// Deletes a module with all its versions and grants, or one version that is not current. Refused while an open execution needs it. Answers
/// the versions that are gone.
pub async fn delete(pool: &PgPool, module: &ModuleName, version: Option<&str>) -> Result<Vec<Digest>, Error> {
    let versions = versions_of(pool, module).await?;
    let doomed: Vec<Digest> = match version {
        None => versions.iter().map(|version| version.digest).collect(),
        Some(prefix) => {
            let chosen = chosen(&versions, module, prefix)?;
            if chosen.current {
                let message = format!("version sha256:{} of module `{module}` is the current one", chosen.digest.short());
                let hint = format!("deploy another version first, or go back to the one before: currant rollback {module}");
                return Err(Error::Conflict { message, hint: Some(hint) });
            }
            vec![chosen.digest]
        }
    };
    let bytes: Vec<&[u8]> = doomed.iter().map(|digest| &digest.as_bytes()[..]).collect();
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    // Nothing becomes current meanwhile.
    sqlx::query(sql::MODULES_LOCK_FUNCTIONS).execute(&mut *transaction).await?;
    let needed: i64 = sqlx::query_scalar(sql::MODULES_NEEDED)
        .bind(module.as_str())
        .bind(&bytes)
        .bind(version.is_none())
        .fetch_one(&mut *transaction)
        .await?;
    if needed > 0 {
        let what = version.map_or_else(|| format!("module `{module}`"), |_| format!("version sha256:{}", doomed[0].short()));
        let (executions, need) = if needed == 1 { ("execution", "needs") } else { ("executions", "need") };
        let message = format!("{needed} open {executions} {need} {what}");
        let hint = "wait until they have ended, or cancel them; show the counts: currant modules --all".to_owned();
        return Err(Error::Conflict { message, hint: Some(hint) });
    }
    if version.is_none() {
        sqlx::query(sql::MODULES_DROP_FUNCTIONS)
            .bind(module.as_str())
            .bind(Vec::<String>::new())
            .execute(&mut *transaction)
            .await?;
        sqlx::query(sql::MODULES_DROP_GRANTS).bind(module.as_str()).execute(&mut *transaction).await?;
    }
    sqlx::query(sql::MODULES_DROP_DEPLOYMENTS).bind(&bytes).execute(&mut *transaction).await?;
    sqlx::query(sql::MODULES_DROP_VERSIONS).bind(&bytes).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(doomed)
}

/// The one deployed last first.
async fn versions_of(pool: &PgPool, module: &ModuleName) -> Result<Vec<Module>, Error> {
    let mut versions = super::list(pool).await?;
    versions.retain(|version| version.name == module.as_str());
    if versions.is_empty() {
        return Err(Error::NotFound(format!("there is no module `{module}`")));
    }
    Ok(versions)
}

fn chosen<'a>(versions: &'a [Module], module: &ModuleName, prefix: &str) -> Result<&'a Module, Error> {
    let prefix = prefix.strip_prefix("sha256:").unwrap_or(prefix);
    let mut found = versions.iter().filter(|version| !prefix.is_empty() && version.digest.to_string().starts_with(prefix));
    let hint = || Some(format!("show the versions of `{module}`: currant modules --all"));
    match (found.next(), found.next()) {
        (Some(version), None) => Ok(version),
        (None, _) => Err(Error::NotFound(format!("module `{module}` has no version whose digest begins with `{prefix}`"))),
        _ => Err(Error::Invalid { message: format!("several digests begin with `{prefix}`"), hint: hint() }),
    }
}
