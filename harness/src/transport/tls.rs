//! TLS: whom to trust, who we are, and which versions are spoken.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_rustls::rustls;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{ClientConfig, Resumption};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::Misfit;

/// TLS, as written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct TlsWritten {
    /// A file of certificates in PEM; only whom they sign is trusted. Default: whom this machine
    /// trusts.
    pub ca: Option<PathBuf>,
    /// A file with our own certificate and its chain, in PEM, for servers that ask for one.
    pub certificate: Option<PathBuf>,
    /// A file with the private key of `certificate`, in PEM.
    pub key: Option<PathBuf>,
    /// The name that the server must prove. Default: the target's host.
    pub server_name: Option<String>,
    /// The oldest version that is spoken: `1.2` (default) or `1.3`.
    pub min_version: Option<VersionWritten>,
    /// Whether any certificate will do. Default: `false`.
    pub insecure: bool,
    /// Whether a new connection may go on with the session of an earlier one, as a browser's that
    /// comes back. Default: `false`, every handshake is a whole one.
    pub resumption: bool,
}

/// A version of TLS as written: YAML reads `1.3` as a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum VersionWritten {
    /// Without quotes.
    Number(f64),
    /// With quotes.
    Text(String),
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    OneTwo,
    /// TLS 1.3.
    OneThree,
}

/// TLS, resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Whom to trust; `None` for whom this machine trusts.
    pub ca: Option<PathBuf>,
    /// Our own certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name that the server must prove; `None` for the target's host.
    pub server_name: Option<String>,
    /// The oldest version that is spoken.
    pub min_version: TlsVersion,
    /// Whether any certificate will do.
    pub insecure: bool,
    /// Whether sessions are gone on with.
    pub resumption: bool,
}

impl Tls {
    /// Checks what is written, and that its files hold what they should.
    pub fn of(written: &TlsWritten, directory: &Path) -> Result<Self, Vec<Misfit>> {
        let mut misfits = Vec::new();
        let min_version = match &written.min_version {
            None => TlsVersion::OneTwo,
            Some(version) => match version.text().as_str() {
                "1.2" => TlsVersion::OneTwo,
                "1.3" => TlsVersion::OneThree,
                other => {
                    let message = format!("TLS {other} is not spoken here");
                    misfits.push(Misfit::new(&["tls", "min-version"], message, "`1.2` or `1.3`"));
                    TlsVersion::OneTwo
                }
            },
        };
        if let Some(name) = &written.server_name
            && let Err(error) = ServerName::try_from(name.as_str())
        {
            let message = format!("`{name}` cannot be a server's name: {error}");
            misfits.push(Misfit::new(&["tls", "server-name"], message, "a host name or address"));
        }
        let resolved = |path: &PathBuf| directory.join(path);
        let ca = written.ca.as_ref().map(resolved);
        misfits.extend(ca.as_deref().and_then(|path| unreadable("ca", certificates(path).err())));
        let certificate = written.certificate.as_ref().map(resolved);
        let own = certificate.as_deref().map(certificates);
        misfits.extend(own.and_then(|own| unreadable("certificate", own.err())));
        let key = written.key.as_ref().map(resolved);
        let own = key.as_deref().map(private_key);
        misfits.extend(own.and_then(|own| unreadable("key", own.err())));
        if certificate.is_some() != key.is_some() {
            let (there, missing) =
                if key.is_some() { ("key", "certificate") } else { ("certificate", "key") };
            let message = format!("`{there}` without `{missing}`");
            if misfits.is_empty() {
                misfits.push(Misfit::new(&["tls", there], message, "the two go together"));
            }
        }
        let tls = Self {
            ca,
            identity: certificate.zip(key),
            server_name: written.server_name.clone(),
            min_version,
            insecure: written.insecure,
            resumption: written.resumption,
        };
        // What is well formed may still not fit together, such as a key of another certificate.
        if misfits.is_empty()
            && tls.identity.is_some()
            && let Err(message) = tls.config(b"http/1.1")
        {
            misfits.push(Misfit::new(&["tls", "certificate"], message, "goes with `tls.key`"));
        }
        if misfits.is_empty() { Ok(tls) } else { Err(misfits) }
    }

    /// What the library needs to connect and to speak `protocol`; or what is wrong with a file.
    pub(crate) fn config(&self, protocol: &[u8]) -> Result<ClientConfig, String> {
        let provider = Arc::new(ring::default_provider());
        let versions: &[&'static rustls::SupportedProtocolVersion] = match self.min_version {
            TlsVersion::OneTwo => &[&TLS12, &TLS13],
            TlsVersion::OneThree => &[&TLS13],
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder =
            builder.with_protocol_versions(versions).map_err(|error| error.to_string())?;
        let builder = if self.insecure {
            let verifier = Arc::new(Anybody(provider));
            builder.dangerous().with_custom_certificate_verifier(verifier)
        } else {
            builder.with_root_certificates(self.roots()?)
        };
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
                .map_err(|error| format!("`{}`: {error}", certificate.display()))?,
        };
        config.alpn_protocols = vec![protocol.to_vec()];
        if !self.resumption {
            config.resumption = Resumption::disabled();
        }
        Ok(config)
    }

    /// What differs from the default, in words.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.insecure {
            words.push("TLS certificates not verified".to_owned());
        }
        if let Some(ca) = &self.ca {
            words.push(format!("trusts `{}`", ca.display()));
        }
        if let Some((certificate, _)) = &self.identity {
            words.push(format!("client certificate `{}`", certificate.display()));
        }
        if let Some(name) = &self.server_name {
            words.push(format!("server name `{name}`"));
        }
        if self.min_version == TlsVersion::OneThree {
            words.push("TLS 1.3 only".to_owned());
        }
        if self.resumption {
            words.push("TLS sessions resumed".to_owned());
        }
        words
    }

    /// Whether anything is set.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whom to trust.
    fn roots(&self) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        if let Some(path) = &self.ca {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| format!("`{}`: {error}", path.display()))?;
            }
            return Ok(roots);
        }
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            // A container may have no certificates of its own; these are Mozilla's.
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        Ok(roots)
    }
}

impl VersionWritten {
    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

fn unreadable(key: &'static str, error: Option<String>) -> Option<Misfit> {
    Some(Misfit::new(&["tls", key], error?, "a file in PEM"))
}

/// The certificates in the file at `path`; at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("`{}`: {error}", path.display());
    let found = CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))?;
    let found: Result<Vec<_>, _> = found.collect();
    let found = found.map_err(|error| wrong(&error))?;
    if found.is_empty() { Err(wrong(&"no certificate in it")) } else { Ok(found) }
}

/// The private key in the file at `path`.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| format!("`{}`: {error}", path.display()))
}

/// Believes whoever answers. Signatures are still checked: the handshake costs what it costs.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
