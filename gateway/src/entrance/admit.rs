//! `admit:` in a configuration: what a request must bring along.

use serde::Deserialize;

/// What a request must bring along.
///
/// ```yaml
/// admit: anyone                     # the default
/// admit: [certificate]              # a client certificate that names an agent
/// admit: [certificate, token]       # either that or a bearer token
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub enum Admit {
    /// Nothing: everything is public, and an agent is who its key says.
    #[default]
    Anyone,
    /// A client certificate.
    Certificate,
    /// A bearer token.
    Token,
    /// One of the two. Who shows a certificate is judged by that.
    CertificateOrToken,
}

impl Admit {
    /// Whether a certificate lets in.
    pub fn by_certificate(self) -> bool {
        matches!(self, Admit::Certificate | Admit::CertificateOrToken)
    }

    /// Whether a token lets in.
    pub fn by_token(self) -> bool {
        matches!(self, Admit::Token | Admit::CertificateOrToken)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Everybody(Everybody),
    By(Vec<Way>),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Everybody {
    Anyone,
}

#[derive(PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Way {
    Certificate,
    Token,
}

impl TryFrom<Written> for Admit {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Admit, &'static str> {
        let ways = match written {
            Written::Everybody(Everybody::Anyone) => return Ok(Admit::Anyone),
            Written::By(ways) => ways,
        };
        match (ways.contains(&Way::Certificate), ways.contains(&Way::Token)) {
            (true, true) => Ok(Admit::CertificateOrToken),
            (true, false) => Ok(Admit::Certificate),
            (false, true) => Ok(Admit::Token),
            // Nobody could mean "let nobody in", and somebody might think that it lets everybody in.
            (false, false) => Err("name at least one of `certificate` and `token`, or write `anyone`"),
        }
    }
}
