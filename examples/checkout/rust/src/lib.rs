//! An order, from the shelf to the parcel: three tasks on queues of their own, and the workflow that ties them together.
#![forbid(unsafe_code)]

use std::time::Duration;

use currant::Failure;
use serde::{Deserialize, Serialize};

/// What somebody bought.
#[derive(Clone, Serialize, Deserialize)]
struct Order {
    order: u64,
    items: Vec<String>,
    /// In cents.
    amount: u64,
    /// How long to wait before shipping: people change their minds.
    #[serde(default = "five")]
    pause_seconds: u64,
    /// How long somebody has to approve it; then it is cancelled.
    #[serde(default = "an_hour")]
    approval_seconds: u64,
}

fn five() -> u64 {
    5
}

fn an_hour() -> u64 {
    3600
}

/// That the items are put aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Reservation {
    order: u64,
    shelf: String,
}

/// That the money was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Receipt {
    order: u64,
    amount: u64,
    /// The execution that charged. The same at every attempt: a payment provider that is given it charges once.
    idempotency_key: String,
    attempt: u32,
}

/// That it is on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Parcel {
    order: u64,
    tracking: String,
    items: Vec<String>,
}

/// What the customer is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Confirmation {
    order: u64,
    amount: u64,
    attempts: u32,
    approved_by: String,
    tracking: String,
}

/// Puts the items aside.
#[currant::task(queue = "inventory", retries = 5, timeout = "10s")]
fn reserve(order: Order) -> Result<Reservation, Failure> {
    if order.items.is_empty() {
        return Err(Failure::new("empty-order", format!("order {} has no items", order.order)).not_retryable());
    }
    currant::info!("reserved", order = order.order, items = order.items.len());
    Ok(Reservation { order: order.order, shelf: format!("shelf-{}", order.order % 7) })
}

/// Puts the items back: what undoes `reserve`.
#[currant::task(queue = "inventory", retries = 5, timeout = "10s")]
fn release(reservation: Reservation) -> Result<(), Failure> {
    currant::info!("released", order = reservation.order);
    Ok(())
}

/// Takes the money. The first attempt always finds the card network busy, to show a retry.
#[currant::task(queue = "payments", retries = 5, backoff = "500ms", timeout = "30s")]
fn charge(order: Order) -> Result<Receipt, Failure> {
    let execution = currant::context();
    if execution.attempt == 1 {
        return Err(Failure::new("card-network-busy", "the card network asks to be called again"));
    }
    currant::info!("charged", order = order.order, amount = order.amount);
    let (idempotency_key, attempt) = (execution.id, execution.attempt);
    Ok(Receipt { order: order.order, amount: order.amount, idempotency_key, attempt })
}

/// Hands the parcel over.
#[currant::task(queue = "shipping", retries = 5, timeout = "1m")]
fn ship(order: Order, tracking: String) -> Result<Parcel, Failure> {
    currant::info!("shipped", order = order.order);
    Ok(Parcel { order: order.order, tracking, items: order.items })
}

/// Reserves, charges, picks a tracking number, waits for the customer to change their mind, waits for the approval, and ships. An
/// order that nobody approves in time gets its items back on the shelf.
#[currant::workflow]
async fn checkout(order: Order) -> Result<Confirmation, Failure> {
    currant::publish(&"reserving");
    let reservation = reserve(order.clone()).await?;

    currant::publish(&"charging");
    let receipt = charge(order.clone()).tag("money").await?;

    // A step: recorded once, so that a replay ships with the same number.
    let tracking = currant::step("pick-tracking-number", || Ok(format!("CUR-{:08X}", currant::random() as u32))).await?;

    currant::sleep(Duration::from_secs(order.pause_seconds)).await?;

    currant::publish(&"waiting for approval");
    let patience = Duration::from_secs(order.approval_seconds);
    let Some(approved_by) = currant::receive::<String>("approved").timeout(patience).await? else {
        release(reservation).await?;
        return Err(Failure::new("not-approved", format!("nobody approved order {}", order.order)).not_retryable());
    };

    currant::publish(&"shipping");
    let number = order.order;
    let parcel = ship(order, tracking).await?;
    Ok(Confirmation {
        order: number,
        amount: receipt.amount,
        attempts: receipt.attempt,
        approved_by,
        tracking: parcel.tracking,
    })
}

currant::module!();

#[cfg(test)]
mod tests {
    use currant::testing::Run;

    use super::*;

    fn order() -> Order {
        Order { order: 42, items: vec!["mug".into()], amount: 1250, pause_seconds: 5, approval_seconds: 60 }
    }

    #[test]
    fn an_approved_order_is_shipped_once_and_charged_at_the_second_attempt() {
        let mut run = Run::new().signal_after(Duration::from_secs(20), "approved", &"ada");
        let confirmation = run.call(checkout(order())).unwrap();
        assert_eq!((confirmation.order, confirmation.attempts, confirmation.approved_by.as_str()), (42, 2, "ada"));
        assert_eq!((run.called("reserve"), run.called("charge"), run.called("ship")), (1, 2, 1));
        assert_eq!(run.elapsed(), Duration::from_secs(20));
    }

    #[test]
    fn an_order_that_nobody_approves_is_put_back() {
        let mut run = Run::new();
        assert_eq!(run.call(checkout(order())).unwrap_err().code(), "not-approved");
        assert_eq!((run.called("release"), run.called("ship")), (1, 0));
    }

    #[test]
    fn each_task_works_alone() {
        let reservation = reserve(order()).run().unwrap();
        assert_eq!(reservation.shelf, "shelf-0");
        assert_eq!(charge(order()).run().unwrap_err().code(), "card-network-busy");
        assert_eq!(Run::new().call(charge(order())).unwrap().attempt, 2);
        assert_eq!(ship(order(), "CUR-1".into()).run().unwrap().tracking, "CUR-1");
    }
}
