//! What tasks can reach, but for the network.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use currant::Failure;
use serde::Serialize;

/// The environment variable of this name.
#[currant::task(retries = 0)]
fn read_env(name: String) -> Result<Option<String>, Failure> {
    Ok(std::env::var(name).ok())
}

/// The whole environment.
#[currant::task(retries = 0)]
fn read_environment() -> Result<BTreeMap<String, String>, Failure> {
    Ok(std::env::vars().collect())
}

/// The command line.
#[currant::task(retries = 0)]
fn read_arguments() -> Result<Vec<String>, Failure> {
    Ok(std::env::args().collect())
}

/// Random numbers of every kind that Rust code draws.
#[derive(Serialize, serde::Deserialize)]
pub struct Draws {
    pub system: Vec<u64>,
    pub generator: Vec<u64>,
    pub map_order: Vec<u32>,
}

pub fn draw() -> Draws {
    Draws {
        system: (0..4).map(|_| currant::random()).collect(),
        generator: (0..4).map(|_| rand::random()).collect(),
        map_order: (0..16).map(|key| (key, ())).collect::<std::collections::HashMap<u32, ()>>().into_keys().collect(),
    }
}

/// Draws random numbers.
#[currant::task(retries = 0)]
fn read_random() -> Result<Draws, Failure> {
    Ok(draw())
}

/// The time in milliseconds, and how many of them passed during the work that the caller cannot see.
#[currant::task(retries = 0)]
fn read_clock() -> Result<(u64, u64), Failure> {
    let begin = Instant::now();
    let now = milliseconds();
    Ok((now, begin.elapsed().as_millis() as u64))
}

#[expect(clippy::disallowed_methods, reason = "in a guest it is the host's clock")]
pub fn milliseconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64)
}

/// The text of a file.
#[currant::task(retries = 0)]
fn read_file(path: String) -> Result<String, Failure> {
    Ok(std::fs::read_to_string(path)?)
}

/// Writes a text to a file, and answers what can be read from it.
#[currant::task(retries = 0)]
fn write_file(path: String, text: String) -> Result<String, Failure> {
    std::fs::write(&path, text)?;
    Ok(std::fs::read_to_string(path)?)
}

/// The names in a folder.
#[currant::task(retries = 0)]
fn list_files(path: String) -> Result<Vec<String>, Failure> {
    let names = std::fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    Ok(names.collect::<Result<_, std::io::Error>>()?)
}
