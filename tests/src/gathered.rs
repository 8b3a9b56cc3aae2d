//! What `gather`, of the guest `proof`, was seen to do, against what is on record.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use crate::witness::{Effect, Witness};

/// Whatever was seen was done by somebody whom the history knows, with what the history decided; and whatever the history says was done was
/// seen. `result` is the workflow's.
pub async fn nothing_undecided_was_done(pool: &PgPool, witness: &Witness, root: Uuid, result: &Value) -> Result<()> {
    let decided = decided(pool, root, result).await?;
    let effects = witness.effects(root);
    for effect in &effects {
        let known = decided.get(&effect.by).with_context(|| format!("{effect:?}: by nobody in the database"))?;
        ensure!(known.allows(effect), "{effect:?}: what was decided is {known:?}");
    }
    for (by, known) in &decided {
        for (what, detail) in &known.must {
            let seen = effects.iter().any(|effect| effect.by == *by && effect.what == *what && effect.detail == *detail);
            ensure!(seen, "{by} has done {what} {detail} by its record, and nobody has seen it");
        }
    }
    Ok(())
}

/// What an execution has done, by the record.
#[derive(Debug, Default)]
struct Decided {
    /// Has been done: a name, and with what.
    must: Vec<(String, String)>,
    /// May have been done: it ended before it was done, or nobody knows.
    may: Vec<(String, String)>,
    /// A step may have run before, and what it drew then was forgotten.
    steps: bool,
}

impl Decided {
    fn allows(&self, effect: &Effect) -> bool {
        let named = |(what, detail): &(String, String)| *what == effect.what && *detail == effect.detail;
        self.must.iter().any(named) || self.may.iter().any(named) || (self.steps && effect.what.starts_with("draw-"))
    }
}

/// What a workflow, its parts and its tasks were to do, by what is on record.
async fn decided(pool: &PgPool, root: Uuid, result: &Value) -> Result<BTreeMap<Uuid, Decided>> {
    let rows: Vec<(Uuid, String, String, Value)> = sqlx::query_as(
        "with recursive family as (
             select id from currant.requests where id = $1
             union all
             select request.id from family join currant.requests request on request.parent_workflow_id = family.id
         )
         select id, function, status, input::jsonb from family join currant.executions using (id)",
    )
    .bind(root)
    .fetch_all(pool)
    .await?;
    let mut decided = BTreeMap::from([(root, Decided { steps: true, ..Decided::default() })]);
    for (id, function, status, input) in rows {
        let doing = match function.as_str() {
            "weigh" => format!("{}-{}", input[1], input[2]),
            "announce" => format!("{}-{}", input[1], input[2].as_str().context("a decision is a text")?),
            _ => continue,
        };
        let of = decided.entry(id).or_default();
        let done = if status == "completed" { &mut of.must } else { &mut of.may };
        done.push((function, doing));
    }
    let steps: Vec<(String, String)> = sqlx::query_as(
        "select name, body::text from currant.journal where workflow_id = $1 and kind = 'step' order by position",
    )
    .bind(root)
    .fetch_all(pool)
    .await?;
    let drawn: BTreeMap<_, _> = steps.iter().cloned().collect();
    ensure!(drawn.get("draw-lot") == Some(&result["lot"].to_string()), "{result} is not of what was drawn: {drawn:?}");
    ensure!(drawn.get("draw-seal") == Some(&result["seal"].to_string()), "{result} is not of what was drawn: {drawn:?}");
    // All but the seal's announcement is about the lot; and of the racers one has won.
    let (lot, seal) = (&result["lot"], &result["seal"]);
    let winner = ("announce".to_owned(), format!("{lot}-winner-{}", result["winner"]));
    let approval = format!("{seal}-approved-by-{}", result["approved_by"].as_str().unwrap_or("nobody"));
    let approval = ("announce".to_owned(), approval);
    let done: Vec<_> = decided.values().flat_map(|of| &of.must).collect();
    ensure!(done.contains(&&winner) && done.contains(&&approval), "{done:?} is not what {result} says");
    let others = done.into_iter().chain(decided.values().flat_map(|of| &of.may));
    let others: Vec<_> = others.filter(|(_, detail)| !detail.starts_with(&format!("{lot}-"))).collect();
    ensure!(others == [&approval], "{others:?} is about another lot than {lot}");
    decided.entry(root).or_default().must.extend(steps);
    Ok(decided)
}
