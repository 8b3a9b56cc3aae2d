//! What the sandbox must survive.

use std::hint::black_box;

use currant::Failure;

/// Panics with this message.
#[currant::task(retries = 0)]
fn panic(message: String) -> Result<(), Failure> {
    panic!("{message}")
}

/// Never ends, and never yields.
#[currant::task(retries = 0)]
fn loop_forever() -> Result<(), Failure> {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Takes so much memory, and uses it.
#[currant::task(retries = 0)]
fn allocate(mebibytes: usize) -> Result<usize, Failure> {
    let mut blocks = Vec::new();
    for _ in 0..mebibytes {
        blocks.push(black_box(vec![1_u8; 1 << 20]));
    }
    Ok(blocks.iter().map(Vec::len).sum())
}

/// Calls itself until the stack ends.
#[currant::task(retries = 0)]
fn recurse() -> Result<u64, Failure> {
    Ok(deeper(1))
}

#[expect(unconditional_recursion, reason = "that is what it is for")]
fn deeper(depth: u64) -> u64 {
    let frame = black_box([depth; 32]);
    deeper(depth + 1) + frame[(depth % 32) as usize]
}

/// Writes so many bytes to stdout and stderr each, in lines of 80.
#[currant::task]
fn print(bytes: usize) -> Result<(), Failure> {
    for start in (0..bytes).step_by(80) {
        let line = "=".repeat((bytes - start).min(80).saturating_sub(1));
        println!("{line}");
        eprintln!("{line}");
    }
    Ok(())
}

/// Ends the process, as far as there is one.
#[currant::task(retries = 0)]
fn exit(status: i32) -> Result<(), Failure> {
    std::process::exit(status)
}

/// Does in a task what only workflows may: the SDK answers.
#[currant::task(retries = 0)]
fn sleep_durably() -> Result<(), Failure> {
    let pause = currant::sleep(std::time::Duration::from_millis(1)).start();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(pause).poll(&mut context) {
        std::task::Poll::Ready(outcome) => outcome,
        std::task::Poll::Pending => Err(Failure::new("impossible", "a task has nothing to wait for")),
    }
}
