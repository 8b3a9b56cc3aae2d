//! The support itself: databases of their own, and a clock that can be moved.

use std::time::Duration;

use currant_test_support::TestDatabase;
use sqlx::Executor;

#[tokio::test]
async fn every_test_has_a_database_of_its_own() {
    let (one, other) = (TestDatabase::new().await, TestDatabase::new().await);
    one.pool().execute("insert into currant.queues (name) values ('mine')").await.unwrap();
    let seen: i64 = sqlx::query_scalar("select count(*) from currant.queues").fetch_one(other.pool()).await.unwrap();
    assert_eq!(seen, 0);
}

#[tokio::test]
async fn the_clock_goes_on_from_where_it_was_moved() {
    let database = TestDatabase::new().await;
    database.clock().advance(Duration::from_secs(3600)).await;
    database.clock().advance(Duration::from_secs(1800)).await;
    let ahead: i64 = sqlx::query_scalar("select extract(epoch from currant.now() - statement_timestamp())::bigint")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert_eq!(ahead, 5400);
}

#[tokio::test]
async fn a_url_leads_to_the_same_database() {
    let database = TestDatabase::empty().await;
    database.pool().execute("create table here ()").await.unwrap();
    let options: sqlx::postgres::PgConnectOptions = database.url().parse().unwrap();
    let pool = sqlx::PgPool::connect_with(options).await.unwrap();
    pool.execute("select from here").await.unwrap();
    pool.close().await;
}
