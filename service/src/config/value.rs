//! The types of settings: how each is written, read and shown. What a reader says is wrong never
//! repeats the value, which may be a secret set in the wrong place.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::phone::Phone;

/// A type that a setting can have.
pub(crate) trait Value: Sized {
    /// What may be written, in words that follow "must be".
    const FORM: &'static str;
    /// Reads it; the error says what to do beyond [`Value::FORM`], or is empty.
    fn read(text: &str) -> Result<Self, String>;
    /// As it may be printed.
    fn show(&self) -> String;
}

/// Something that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

/// Shortest secret: 16 characters of a random key are 64 bits and more.
const SECRET_LEN_MIN: usize = 16;

impl Secret {
    /// The secret itself, for whoever must use it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// One that nobody knows, of 256 bits.
    pub(crate) fn random() -> Self {
        Self(format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Value for Secret {
    const FORM: &'static str = "at least 16 characters, printable and without spaces";
    fn read(text: &str) -> Result<Self, String> {
        if text.len() < SECRET_LEN_MIN {
            return Err(format!("it has {}; make one: openssl rand -hex 32", text.len()));
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("it has others; make one: openssl rand -hex 32".into());
        }
        Ok(Self(text.to_owned()))
    }
    fn show(&self) -> String {
        "(secret)".into()
    }
}

impl<T: Value> Value for Option<T> {
    const FORM: &'static str = T::FORM;
    fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { T::read(text).map(Some) }
    }
    fn show(&self) -> String {
        self.as_ref().map_or_else(String::new, T::show)
    }
}

/// Types that need no more than their own `FromStr` and `Display`.
macro_rules! plain {
    ($($Type:ty, $form:literal;)+) => {$(
        impl Value for $Type {
            const FORM: &'static str = $form;
            fn read(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| String::new())
            }
            fn show(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

plain! {
    u64, "a whole number";
    u32, "a whole number";
    i16, "a whole number";
    SocketAddr, "an IP address and a port such as 127.0.0.1:8080";
}

impl Value for String {
    const FORM: &'static str = "text";
    fn read(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
    fn show(&self) -> String {
        self.clone()
    }
}

impl Value for PathBuf {
    const FORM: &'static str = "a path";
    fn read(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }
    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl Value for Duration {
    const FORM: &'static str = "a whole number";
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map(Self::from_millis).map_err(|_| String::new())
    }
    fn show(&self) -> String {
        self.as_millis().to_string()
    }
}

impl Value for bool {
    const FORM: &'static str = "true or false";
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "true" | "1" | "yes" => Ok(true),
            "false" | "0" | "no" => Ok(false),
            _ => Err(String::new()),
        }
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for Vec<Phone> {
    const FORM: &'static str = "phone numbers such as +99912345678, separated by commas";
    fn read(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts
            .enumerate()
            .map(|(i, part)| part.parse().map_err(|_| format!("number {} is not one", i + 1)))
            .collect()
    }
    fn show(&self) -> String {
        self.iter().map(Phone::to_string).collect::<Vec<_>>().join(",")
    }
}

macro_rules! choices {
    ($($(#[$doc:meta])* $Enum:ident, $form:literal {
        $($(#[$row:meta])* $Variant:ident = $name:literal,)+
    })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $Enum { $($(#[$row])* $Variant,)+ }

        impl $Enum {
            /// As it is written.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$Variant => $name,)+ }
            }
        }

        impl Value for $Enum {
            const FORM: &'static str = $form;
            fn read(text: &str) -> Result<Self, String> {
                match text { $($name => Ok(Self::$Variant),)+ _ => Err(String::new()) }
            }
            fn show(&self) -> String {
                self.name().into()
            }
        }
    )+};
}

choices! {
    /// Where the process runs.
    Environment, "production or development" {
        /// Real people are texted.
        Production = "production",
        /// Nobody is, except those on the allow-list.
        Development = "development",
    }
    /// Who sends the texts.
    ProviderKind, "twilio or webhook" {
        /// Twilio's Messages API.
        Twilio = "twilio",
        /// A service of one's own that takes signed JSON.
        Webhook = "webhook",
    }
    /// Whether the stages have gates.
    StageGates, "off, open or held" {
        /// No stage can be held.
        Off = "off",
        /// Each can be held.
        Open = "open",
        /// Each is held from the start on.
        Held = "held",
    }
    /// How log lines are written.
    LogFormat, "text or json" {
        /// For people.
        Text = "text",
        /// For machines.
        Json = "json",
    }
}

impl Environment {
    /// Whether real people are texted.
    pub(crate) const fn is_production(self) -> bool {
        match self {
            Self::Production => true,
            Self::Development => false,
        }
    }
}

/// An `http://` or `https://` URL to which paths are appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    /// Without a slash at its end.
    text: String,
    host: String,
    is_https: bool,
}

impl BaseUrl {
    /// The URL of an address of ours.
    pub(crate) fn of_address(address: SocketAddr) -> Self {
        let text = format!("http://{address}");
        Self { text, host: address.ip().to_string(), is_https: false }
    }

    /// The URL that a text is, as in a setting.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Self::read(text)
    }

    /// The URL without a slash at its end.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it begins with `https`.
    pub(crate) const fn is_https(&self) -> bool {
        self.is_https
    }

    /// Whether it can only lead to this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

impl Value for BaseUrl {
    const FORM: &'static str = "a URL such as https://api.example.com, without query or password";
    fn read(text: &str) -> Result<Self, String> {
        let uri: http::Uri = text.parse().map_err(|_| String::new())?;
        let authority = uri.authority().ok_or("it names no host")?;
        let is_https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err("it must begin with http:// or https://".into()),
        };
        if uri.query().is_some() || authority.as_str().contains('@') || text.contains('#') {
            return Err(String::new());
        }
        let host = authority.host().to_owned();
        Ok(Self { text: text.trim_end_matches('/').to_owned(), host, is_https })
    }
    fn show(&self) -> String {
        self.text.clone()
    }
}

impl Value for Vec<DatabaseUrl> {
    const FORM: &'static str = "URLs such as postgres://user@host:5432/name, separated by commas";
    fn read(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts
            .enumerate()
            .map(|(i, part)| {
                DatabaseUrl::read(part).map_err(|why| format!("URL {} is not one: {why}", i + 1))
            })
            .collect()
    }
    fn show(&self) -> String {
        self.iter().map(DatabaseUrl::show).collect::<Vec<_>>().join(",")
    }
}

/// True for names and addresses that can't leave this machine.
fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Where the database is. Shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DatabaseUrl {
    /// As the driver reads it: `sslmode` is `disable` or `require`.
    driver: String,
    shown: String,
}

impl DatabaseUrl {
    /// The URL with its password, for the driver. Its `sslmode` is always stated: `disable` or
    /// `require`.
    pub(crate) fn expose(&self) -> &str {
        &self.driver
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Value for DatabaseUrl {
    const FORM: &'static str =
        "a URL such as postgres://user:password@host:5432/name?sslmode=require";
    fn read(text: &str) -> Result<Self, String> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err("it must begin with postgres://".into());
        }
        let (bare, options) = text.split_once('?').unwrap_or((text, ""));
        let options = options.split('&').filter(|option| !option.is_empty());
        let (modes, mut options): (Vec<&str>, Vec<&str>) =
            options.partition(|option| option.starts_with("sslmode="));
        if options.iter().any(|option| option.starts_with("sslrootcert=")) {
            return Err("state the CA file by the setting database_ca_file".into());
        }
        let join = |options: &[&str]| format!("{bare}?{}", options.join("&"));
        let parsed: tokio_postgres::Config =
            join(&options).parse().map_err(|_| "the driver can't read it".to_owned())?;
        let mode = match modes.last().map(|mode| &mode["sslmode=".len()..]) {
            None if goes_nowhere(&parsed) => "sslmode=disable",
            Some("disable") => "sslmode=disable",
            None | Some("require" | "verify-ca" | "verify-full") => "sslmode=require",
            Some(_) => return Err("sslmode must be disable, require or verify-full".into()),
        };
        options.push(mode);
        Ok(Self { driver: join(&options), shown: shown(&parsed, mode) })
    }
    fn show(&self) -> String {
        self.shown.clone()
    }
}

/// True when all of its hosts are this machine.
fn goes_nowhere(config: &tokio_postgres::Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        tokio_postgres::config::Host::Tcp(name) => is_loopback(name),
        tokio_postgres::config::Host::Unix(_) => true,
    })
}

/// What of a database URL may be seen.
fn shown(config: &tokio_postgres::Config, mode: &str) -> String {
    let hosts = config.get_hosts().iter().enumerate().map(|(i, host)| {
        let ports = config.get_ports();
        let port = ports.get(i).or(ports.first()).copied().unwrap_or(5432);
        match host {
            tokio_postgres::config::Host::Tcp(name) => format!("{name}:{port}"),
            tokio_postgres::config::Host::Unix(path) => format!("{}:{port}", path.display()),
        }
    });
    let user = config.get_user().unwrap_or_default();
    let password = if config.get_password().is_some() { ":(secret)" } else { "" };
    let at = if user.is_empty() { "" } else { "@" };
    let hosts = hosts.collect::<Vec<_>>().join(",");
    let name = config.get_dbname().unwrap_or_default();
    format!("postgres://{user}{password}{at}{hosts}/{name}?{mode}")
}
