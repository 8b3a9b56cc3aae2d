//! Ids and names: what they look like, and that they were checked.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Text that is not the id or the name that it should be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{text}` is not a valid {what}: {rule}")]
pub struct Invalid {
    what: &'static str,
    rule: &'static str,
    text: String,
}

/// The number of an environment, whose variables never change. The default is the empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct EnvironmentId(i64);

impl EnvironmentId {
    /// Whether it is the one without variables, in which everything runs until a deployment grants some.
    pub fn is_empty(self) -> bool {
        self == EnvironmentId::default()
    }
}

impl fmt::Display for EnvironmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! uuid_id {
    ($(#[$documentation:meta])* $Name:ident, $what:literal) => {
        $(#[$documentation])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $Name(Uuid);

        impl $Name {
            /// The UUID itself.
            pub fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl From<Uuid> for $Name {
            fn from(uuid: Uuid) -> $Name {
                $Name(uuid)
            }
        }

        impl From<$Name> for Uuid {
            fn from(id: $Name) -> Uuid {
                id.0
            }
        }

        impl FromStr for $Name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<$Name, Invalid> {
                let invalid = |_| Invalid { what: $what, rule: "it is a UUID", text: text.into() };
                Uuid::parse_str(text).map($Name).map_err(invalid)
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id! {
    /// An execution: a UUIDv7, or, of a workflow's child, a UUIDv8 that derives from its parent.
    ExecutionId, "execution id"
}

uuid_id! {
    /// A worker process, for as long as it holds one lease.
    WorkerId, "worker id"
}

impl ExecutionId {
    /// The child that operation `operation` of a workflow's chain starts. The same start is the same id, so that a start whose commit nobody
    /// heard of can be repeated. The parent's time stands in front, so that a family lies together in an index.
    pub fn of_child(parent: ExecutionId, chain: i32, operation: u32) -> ExecutionId {
        let mut hash = Sha256::new();
        hash.update(parent.0.as_bytes());
        hash.update(chain.to_be_bytes());
        hash.update(operation.to_be_bytes());
        let hash = hash.finalize();
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&parent.0.as_bytes()[..6]);
        bytes[6..].copy_from_slice(&hash[..10]);
        ExecutionId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// Its W3C span id: the second half, which is random, in 16 hexadecimal digits. The view `executions` says the same.
    pub fn span_id(&self) -> String {
        format!("{:016x}", self.0.as_u64_pair().1)
    }
}

impl WorkerId {
    /// A new one.
    pub fn random() -> WorkerId {
        WorkerId(Uuid::now_v7())
    }
}

/// The SHA-256 of a component's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 12 digits, for people.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_string()
    }
}

impl TryFrom<Vec<u8>> for Digest {
    type Error = Invalid;

    fn try_from(bytes: Vec<u8>) -> Result<Digest, Invalid> {
        let invalid = |_| Invalid { what: "digest", rule: "it is the 32 bytes of a SHA-256", text: String::new() };
        bytes.try_into().map(Digest).map_err(invalid)
    }
}

impl FromStr for Digest {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Digest, Invalid> {
        let invalid = || Invalid { what: "digest", rule: "it is 64 hexadecimal digits", text: text.into() };
        if text.len() != 64 || !text.is_ascii() {
            return Err(invalid());
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(|_| invalid())?;
        }
        Ok(Digest(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.short())
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! name {
    ($(#[$documentation:meta])* $Name:ident, $what:literal) => {
        $(#[$documentation])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $Name(String);

        impl $Name {
            /// Checks a name: 1 to 100 of `a-z 0-9 _ . -`.
            pub fn parse(text: &str) -> Result<$Name, Invalid> {
                let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-');
                if (1..=100).contains(&text.len()) && text.bytes().all(plain) {
                    return Ok($Name(text.into()));
                }
                Err(Invalid { what: $what, rule: "it has 1 to 100 of a-z 0-9 _ . -", text: text.into() })
            }

            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $Name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<$Name, Invalid> {
                $Name::parse(text)
            }
        }

        impl<'de> Deserialize<'de> for $Name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$Name, D::Error> {
                $Name::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// A queue.
    QueueName, "queue name"
}
name! {
    /// A function that a module offers.
    FunctionName, "function name"
}
name! {
    /// A module.
    ModuleName, "module name"
}

/// Checks a text that executions are found or counted by: 1 to 255 characters.
pub fn word(what: &'static str, text: &str) -> Result<String, Invalid> {
    if (1..=255).contains(&text.chars().count()) && !text.contains('\0') {
        return Ok(text.into());
    }
    Err(Invalid { what, rule: "it has 1 to 255 characters, without U+0000", text: text.into() })
}

/// The key under which a caller asks for an execution: 1 to 255 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct TaskId(String);

impl TaskId {
    /// Checks a key.
    pub fn parse(text: &str) -> Result<TaskId, Invalid> {
        word("task_id", text).map(TaskId)
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TaskId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<TaskId, Invalid> {
        TaskId::parse(text)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_has_its_parents_time_and_an_id_of_its_own_per_chain_and_operation() {
        let parent = ExecutionId::from(Uuid::now_v7());
        let child = ExecutionId::of_child(parent, 1, 1);
        assert_eq!(child, ExecutionId::of_child(parent, 1, 1));
        assert_eq!(child.as_uuid().as_bytes()[..6], parent.as_uuid().as_bytes()[..6]);
        assert_eq!(child.as_uuid().get_version_num(), 8);
        assert_ne!(child, ExecutionId::of_child(parent, 1, 2));
        assert_ne!(child, ExecutionId::of_child(parent, 2, 1));
    }

    #[test]
    fn a_digest_reads_what_it_prints() {
        let digest = Digest::of(b"a component");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("12".parse::<Digest>().is_err());
        assert!("é".repeat(32).parse::<Digest>().is_err());
    }

    #[test]
    fn names_are_plain() {
        assert!(QueueName::parse("stripe-api.v2_x").is_ok());
        for bad in ["", "Upper", "a b", "ü", &"x".repeat(101)] {
            assert!(QueueName::parse(bad).is_err(), "{bad}");
        }
        let error = FunctionName::parse("Check Out").unwrap_err().to_string();
        assert_eq!(error, "`Check Out` is not a valid function name: it has 1 to 100 of a-z 0-9 _ . -");
    }
}
