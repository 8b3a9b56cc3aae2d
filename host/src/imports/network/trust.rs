//! Whose certificates a guest's HTTPS believes.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use anyhow::{Context, ensure};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The certificate authorities that vouch for servers: those of Mozilla, as of the build, and those that the operator adds.
#[derive(Clone)]
pub struct Trust(TlsConnector);

/// Made once: of a worker's many settings, tests and inspections most never connect.
static MOZILLA: LazyLock<Trust> = LazyLock::new(|| Trust::of(mozilla()));

impl Trust {
    /// Mozilla's, and those of a PEM file.
    pub fn with_file(path: &Path) -> anyhow::Result<Trust> {
        Trust::added(path).with_context(|| format!("the certificate authorities of {} cannot be used", path.display()))
    }

    fn added(path: &Path) -> anyhow::Result<Trust> {
        let mut roots = mozilla();
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(&std::fs::read(path)?) {
            roots.add(certificate.context("this is no PEM file")?)?;
        }
        ensure!(roots.len() > before, "there is no certificate in it, which would begin with `-----BEGIN CERTIFICATE-----`");
        Ok(Trust::of(roots))
    }

    fn of(roots: RootCertStore) -> Trust {
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Trust(TlsConnector::from(Arc::new(config)))
    }

    pub(super) fn connector(&self) -> &TlsConnector {
        &self.0
    }
}

fn mozilla() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() }
}

impl Default for Trust {
    fn default() -> Trust {
        MOZILLA.clone()
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}
