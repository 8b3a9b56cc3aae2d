//! The random stream of a workflow: SHA-256 in counter mode over what names the place. Its output is part of the contract with
//! recorded histories, so it rests on nothing that a library may change.

use currant_core::ids::ExecutionId;
use sha2::{Digest as _, Sha256};

/// A deterministic stream of bytes.
#[derive(Debug)]
pub(super) struct Stream {
    seed: [u8; 32],
    counter: u64,
    block: [u8; 32],
    used: usize,
}

impl Stream {
    /// The stream that a run begins with.
    pub(super) fn of_start(execution: ExecutionId, chain: i32) -> Stream {
        Stream::new(execution, chain, 0)
    }

    /// The stream that follows a step.
    pub(super) fn after_step(execution: ExecutionId, chain: i32, operation: u32) -> Stream {
        Stream::new(execution, chain, operation)
    }

    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.used == self.block.len() {
                self.next_block();
            }
            *byte = self.block[self.used];
            self.used += 1;
        }
    }

    fn new(execution: ExecutionId, chain: i32, operation: u32) -> Stream {
        let mut hash = Sha256::new();
        hash.update(b"currant workflow random 1");
        hash.update(execution.as_uuid().as_bytes());
        hash.update(chain.to_le_bytes());
        hash.update(operation.to_le_bytes());
        Stream { seed: hash.finalize().into(), counter: 0, block: [0; 32], used: 32 }
    }

    fn next_block(&mut self) {
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.counter.to_le_bytes());
        self.block = hash.finalize().into();
        self.counter += 1;
        self.used = 0;
    }
}
