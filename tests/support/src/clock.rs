//! A clock that tests move.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor, PgPool};

/// The clock of one database: `currant.now()`, which everything asks, and `currant.now_later()`.
pub struct Clock<'a> {
    pool: &'a PgPool,
}

impl<'a> Clock<'a> {
    pub(crate) fn of(pool: &'a PgPool) -> Clock<'a> {
        Clock { pool }
    }

    /// Stops it, until it is moved.
    pub async fn freeze(&self) {
        let replacement = "do $$ begin execute format(
            'create or replace function currant.now() returns timestamptz language sql stable parallel safe return %L::timestamptz',
            currant.now()); end $$;
            create or replace function currant.now_later() returns timestamptz language sql volatile return currant.now()";
        self.pool.execute(replacement).await.expect("the clock can be replaced");
    }

    /// Moves it ahead. It goes on from there.
    pub async fn advance(&self, by: Duration) {
        let ahead: i64 =
            sqlx::query_scalar("select (extract(epoch from currant.now() - statement_timestamp()) * 1000)::bigint")
                .fetch_one(self.pool)
                .await
                .expect("the database has a clock");
        let ahead = ahead + i64::try_from(by.as_millis()).expect("tests stay within our era");
        // A constant in the function itself can be inlined into plans, as the original is.
        let replacement = format!(
            "create or replace function currant.now() returns timestamptz language sql stable parallel safe
             return statement_timestamp() + interval '{ahead} ms';
             create or replace function currant.now_later() returns timestamptz language sql volatile
             return clock_timestamp() + interval '{ahead} ms'"
        );
        self.pool.execute(AssertSqlSafe(replacement)).await.expect("the clock can be replaced");
    }
}
