//! Tells the witness, by HTTP: by then it has happened, whatever becomes of this run.

use currant::Failure;
use serde::{Deserialize, Serialize};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, OutgoingRequest, Scheme};

/// Who is told, and about whose doings: `host:port`, and the workflow at the root.
#[derive(Clone, Serialize, Deserialize)]
pub struct Witness {
    pub address: String,
    pub root: String,
}

impl Witness {
    /// That this execution does something.
    pub fn tell(&self, what: &str, detail: &str) -> Result<(), Failure> {
        let refused = |()| Failure::new("no-witness", "the request is refused").not_retryable();
        let path = format!("/{}/{what}/{}/{detail}", self.root, currant::context().id);
        let request = OutgoingRequest::new(Fields::new());
        request.set_scheme(Some(&Scheme::Http)).map_err(refused)?;
        request.set_authority(Some(&self.address)).map_err(refused)?;
        request.set_path_with_query(Some(&path)).map_err(refused)?;
        let pending = outgoing_handler::handle(request, None)?;
        pending.subscribe().block();
        match pending.get() {
            Some(Ok(response)) => response.map(drop).map_err(Failure::from),
            _ => Err(Failure::new("no-witness", "the response was not there when it was said to be")),
        }
    }
}
