//! TLS to PostgreSQL, by `sslmode` as libpq means it: `prefer` encrypts where the server offers it, `require`
//! insists on that, `verify-ca` wants to know who issued the certificate, and `verify-full` also that it is this
//! server's. As with libpq, whoever names a CA and says `require` gets `verify-ca`.

use std::{error::Error as StdError, fmt, io, path::Path, sync::Arc};

use colloquy_domain::{Error, Result};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::pool::{DatabaseSettings, invalid};

/// What the server's certificate has to prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    Nothing,
    Issuer,
    IssuerAndHost,
}

/// The connection's settings, with TLS as they ask for it.
pub(crate) fn configure(settings: &DatabaseSettings) -> Result<(tokio_postgres::Config, MakeRustlsConnect)> {
    let url = settings.url.as_deref().ok_or_else(|| invalid("is not set"))?;
    let (url, proof) = take_proof(url);
    // The parser's own message may quote the password.
    let mut config: tokio_postgres::Config = url.parse().map_err(|_source| {
        invalid(
            "is not a PostgreSQL URL that can be read (sslmode: disable, prefer, require, verify-ca, verify-full)",
        )
    })?;
    // A socket file has no wire to protect, and libpq asks nothing of it either.
    let hosts = config.get_hosts();
    if !hosts.is_empty() && hosts.iter().all(|host| matches!(host, Host::Unix(_))) {
        config.ssl_mode(SslMode::Disable);
    }
    let required = config.get_ssl_mode() == SslMode::Require;
    let ca = settings.ca_file.as_deref();
    let proof = proof.unwrap_or(if required && ca.is_some() { Proof::Issuer } else { Proof::Nothing });
    Ok((config, MakeRustlsConnect::new(client(proof, ca)?)))
}

/// tokio-postgres knows no `verify-*`: to it they are `require`, and what they add is ours.
fn take_proof(url: &str) -> (String, Option<Proof>) {
    for (mode, proof) in [("verify-full", Proof::IssuerAndHost), ("verify-ca", Proof::Issuer)] {
        let wanted = format!("sslmode={mode}");
        let begins = |at: usize| url[..at].chars().next_back().is_none_or(|c| "?& ".contains(c));
        let ends = |at: usize| url[at..].chars().next().is_none_or(|c| "& ".contains(c));
        let found = url.match_indices(&wanted).find(|(at, _)| begins(*at) && ends(at + wanted.len()));
        if let Some((at, _)) = found {
            let rest = &url[at + wanted.len()..];
            return (format!("{}sslmode=require{rest}", &url[..at]), Some(proof));
        }
    }
    (url.to_owned(), None)
}

fn client(proof: Proof, ca: Option<&Path>) -> Result<ClientConfig> {
    const DOING: &str = "set up TLS to PostgreSQL";
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match proof {
        Proof::Nothing => Arc::new(Unverified(provider.clone())),
        Proof::Issuer | Proof::IssuerAndHost => {
            let roots = Arc::new(roots(ca)?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
                .build()
                .map_err(|source| Error::internal(DOING, source))?;
            if proof == Proof::Issuer { Arc::new(AnyHost(verifier)) } else { verifier }
        }
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|source| Error::internal(DOING, source))?;
    Ok(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// The CAs of the file, or else those that this machine trusts.
fn roots(ca: Option<&Path>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let Some(file) = ca else {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err(invalid(
                "asks to verify the server, and this machine trusts no CA: set database.ca_file",
            ));
        }
        return Ok(roots);
    };
    let unusable = |why: &dyn fmt::Display| {
        invalid_ca(&format!("{} holds no certificates in PEM that can be read: {why}", file.display()))
    };
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| unusable(&error))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| unusable(&error))?;
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    if roots.is_empty() { Err(unusable(&"there is none")) } else { Ok(roots) }
}

fn invalid_ca(what: &str) -> Error {
    Error::Invalid(colloquy_domain::Problem::new("DATABASE_CA_FILE", format!("database.ca_file {what}")))
}

/// What to do about a connection that TLS refused.
pub(crate) fn advice(error: &tokio_postgres::Error) -> Option<&'static str> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(why)) = handshake(error) {
            return Some(match why {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    "nobody who is trusted here issued the server's certificate; database.ca_file names its CA"
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    "the server's certificate is for another host name; sslmode=verify-ca would not look at it"
                }
                _ => "the server's certificate was refused",
            });
        }
        if error.to_string() == "server does not support TLS" {
            return Some("sslmode in database.url asks for TLS");
        }
        cause = error.source();
    }
    None
}

/// The error of the handshake, which an I/O error wraps without counting it as a source.
fn handshake<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()
}

/// Takes any certificate: encryption alone, against those who listen and not against those who interfere.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _host: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _end: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _end: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Wants to know the issuer and not the name, which is looked at last.
#[derive(Debug)]
struct AnyHost(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyHost {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.0.verify_server_cert(end, between, host, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            outcome => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, end, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, end, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tokio_postgres_does_not_know_becomes_require() {
        for (url, expected, proof) in [
            (
                "postgres://db/x?sslmode=verify-full",
                "postgres://db/x?sslmode=require",
                Some(Proof::IssuerAndHost),
            ),
            (
                "postgres://db/x?a=b&sslmode=verify-ca&c=d",
                "postgres://db/x?a=b&sslmode=require&c=d",
                Some(Proof::Issuer),
            ),
            (
                "host=db sslmode=verify-full user=x",
                "host=db sslmode=require user=x",
                Some(Proof::IssuerAndHost),
            ),
            ("postgres://db/x?sslmode=require", "postgres://db/x?sslmode=require", None),
            (
                "postgres://db/x?application_name=sslmode=verify-ca",
                "postgres://db/x?application_name=sslmode=verify-ca",
                None,
            ),
            ("postgres://db/x", "postgres://db/x", None),
        ] {
            assert_eq!(take_proof(url), (expected.to_owned(), proof), "{url}");
        }
    }
}
