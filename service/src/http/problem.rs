//! What goes wrong, as RFC 9457 problem details with a stable code. A code is chosen by what the
//! caller can do; the detail says what to do; the cause is for the log alone.
//!
//! Never here: a phone number or a text, in a detail or in a cause.

use contract::RequestOutcome;

use super::request::RequestId;
use super::response::Response;
use crate::db::DbError;

macro_rules! codes {
    ($(
        $(#[doc = $help:literal])+
        $Variant:ident = $name:literal, $status:literal, $outcome:ident, $title:literal;
    )+) => {
        /// Every way in which a request can be refused: the stable codes of the interface.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Code { $($(#[doc = $help])+ $Variant,)+ }

        impl Code {
            /// Every code, in the order of the table.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$Variant,)+];

            /// As in `code` and at the end of `type`.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$Variant => $name,)+ }
            }

            /// The HTTP status.
            pub(crate) const fn status(self) -> u16 {
                match self { $(Self::$Variant => $status,)+ }
            }

            /// The same sentence every time.
            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$Variant => $title,)+ }
            }

            /// How a request that ends so is counted.
            pub(crate) const fn outcome(self) -> RequestOutcome {
                match self { $(Self::$Variant => RequestOutcome::$outcome,)+ }
            }

            /// When it is answered, in words.
            pub(crate) fn help(self) -> &'static str {
                match self { $(Self::$Variant => concat!($($help),+).trim_ascii(),)+ }
            }
        }
    };
}

codes! {
    /// The head of the request breaks HTTP: no Host, or two, or a path that can't be decoded.
    BadRequest = "bad_request", 400, Rejected, "The request is not valid HTTP for this service";
    /// A part of the path isn't of its form.
    BadPath = "bad_path", 400, Rejected, "A part of the path has the wrong form";
    /// A query parameter isn't of its form, or isn't known.
    BadQuery = "bad_query", 400, Rejected, "A query parameter is wrong";
    /// The body isn't JSON, or not of the described shape.
    BadJson = "bad_json", 400, Rejected, "The body is not the JSON that is expected here";
    /// A `read-after` isn't what an answer of this service held.
    BadToken = "bad_token", 400, Rejected, "The causality token is not one of this service";
    /// The body's media type, its charset or its coding isn't one that is read here.
    UnsupportedMediaType = "unsupported_media_type", 415, Rejected,
        "The body's media type is not read here";
    /// No key, or none that is valid.
    Unauthenticated = "unauthenticated", 401, Rejected, "A valid API key is needed";
    /// The key belongs to another practice. Says nothing of whether the thing exists.
    NotYourPractice = "not_your_practice", 403, Rejected, "The API key belongs to another practice";
    /// Only the admin key may do this.
    AdminOnly = "admin_only", 403, Rejected, "Only the admin key may do this";
    /// A provider's signature is missing or wrong.
    BadSignature = "bad_signature", 403, Rejected, "The signature is missing or wrong";
    /// Not in this environment, for instance setting the clock in production.
    NotHere = "not_here", 403, Rejected, "This is not allowed in this environment";
    /// No endpoint has this path.
    UnknownPath = "unknown_path", 404, Rejected, "There is nothing at this path";
    /// The practice, appointment or key named in the path isn't known.
    NotFound = "not_found", 404, Rejected, "There is no such thing";
    /// The path exists, but not with this method. `Allow` names those that it has.
    MethodNotAllowed = "method_not_allowed", 405, Rejected, "The method is not allowed here";
    /// Neither JSON nor CSV is a media type that the request accepts.
    NotAcceptable = "not_acceptable", 406, Rejected, "The media types asked for are not answered";
    /// The body did not arrive in time.
    SlowBody = "slow_body", 408, Rejected, "The body did not arrive in time";
    /// The thing is not in a state in which this can be done, or somebody else has it.
    Conflict = "conflict", 409, Rejected, "This contradicts what is stored";
    /// The body is larger than this endpoint reads.
    BodyTooLarge = "body_too_large", 413, Rejected, "The body is too large";
    /// More items than one request may have.
    TooManyItems = "too_many_items", 413, Rejected, "There are too many items in one request";
    /// The values are well formed and can't be right.
    Invalid = "invalid", 422, Rejected, "The values are not valid";
    /// The practice has asked more often than it may.
    TooManyRequests = "too_many_requests", 429, Rejected, "The practice asks too often";
    /// A fault of ours. The request id leads to its cause in the log.
    Internal = "internal", 500, Failed, "The service failed";
    /// Something is full.
    Overloaded = "overloaded", 503, Shed, "The service is full";
    /// The database is away.
    Unavailable = "unavailable", 503, Shed, "The database is not available";
    /// The process is on its way out.
    Stopping = "stopping", 503, Shed, "The process is stopping";
    /// The process can't do its work yet.
    NotReady = "not_ready", 503, Shed, "The process is not ready";
    /// The request could not be answered in its time. Whether a write took effect isn't known:
    /// repeating it is safe.
    DeadlineExceeded = "deadline_exceeded", 503, Failed,
        "The request could not be answered in time";
}

/// Seconds after which a client may try again what was shed.
const RETRY_AFTER_SECONDS: u32 = 1;

/// A refused or failed request.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    /// Which of the stable codes.
    pub(crate) code: Code,
    /// What is wrong here and what to do, for whoever called.
    pub(crate) detail: String,
    /// Seconds until it makes sense to try again; set for every 429 and 503.
    pub(crate) retry_after: Option<u32>,
    /// Why, for the log; never part of the answer.
    pub(crate) cause: Option<String>,
    /// How far a write got before it went wrong.
    pub(super) read_after: Option<String>,
    /// The methods of a path, for `Allow`.
    pub(super) allow: Option<String>,
}

impl Problem {
    /// A problem with its one-line detail.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let retry_after = (code.status() == 503).then_some(RETRY_AFTER_SECONDS);
        Self {
            code,
            detail: detail.into(),
            retry_after,
            cause: None,
            read_after: None,
            allow: None,
        }
    }

    /// A fault of ours, with its cause for the log.
    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        let detail = "This is a fault of the service; report the request id if it stays.";
        Self::new(Code::Internal, detail).because(cause)
    }

    /// The same with a cause for the log.
    #[must_use]
    pub(crate) fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The same after a write that is committed all the same, with its token.
    #[must_use]
    pub(crate) fn after(mut self, token: String) -> Self {
        self.read_after = Some(token);
        self
    }

    /// The HTTP status.
    pub(crate) const fn status(&self) -> u16 {
        self.code.status()
    }

    /// The answer.
    pub(crate) fn respond(&self, id: &RequestId) -> Response {
        let body = serde_json::json!({
            "type": format!("urn:punctual:problem:{}", self.code.name()),
            "title": self.code.title(),
            "status": self.code.status(),
            "code": self.code.name(),
            "detail": self.detail,
            "request_id": id.as_str(),
        });
        let mut response = Response::json(self.code.status(), &body);
        response.content_type = "application/problem+json";
        if let Some(seconds) = self.retry_after {
            response = response.with_header("retry-after", &seconds.to_string());
        }
        if let Some(token) = &self.read_after {
            response = response.with_header(contract::READ_AFTER, token);
        }
        if let Some(methods) = &self.allow {
            response = response.with_header("allow", methods);
        }
        if self.code == Code::Unauthenticated {
            response = response.with_header("www-authenticate", "Bearer realm=\"punctual\"");
        }
        response
    }
}

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        let away = "Nothing is lost: try again in a moment.";
        let problem = match &error {
            DbError::Unavailable(_) => Self::new(Code::Unavailable, away),
            DbError::PoolTimeout(_) | DbError::Shed => Self::new(Code::Overloaded, away),
            DbError::Timeout(_) | DbError::Retry { .. } => Self::new(
                Code::DeadlineExceeded,
                "The database did not finish in time: repeating the request is safe.",
            ),
            DbError::Constraint { .. } => Self::new(
                Code::Conflict,
                "Another request changed the same thing: read it again and repeat.",
            ),
            DbError::Refused { .. } => return Self::internal(error.to_string()),
        };
        problem.because(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_unique_and_its_outcome_fits_its_status() {
        let names: std::collections::HashSet<_> = Code::ALL.iter().map(|c| c.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            let rejected = code.outcome() == RequestOutcome::Rejected;
            assert_eq!(rejected, (400..500).contains(&code.status()), "{}", code.name());
            assert!(!code.help().is_empty() && !code.title().ends_with('.'));
        }
    }

    #[test]
    fn problem_details() {
        let problem = Problem::new(Code::Overloaded, "Try again.").because("secret cause");
        let response = problem.respond(&RequestId::made("abc-1"));
        assert_eq!(response.status, 503);
        assert_eq!(response.content_type, "application/problem+json");
        assert_eq!(response.header("retry-after"), Some("1"));
        let body: serde_json::Value = serde_json::from_slice(response.body.bytes()).unwrap();
        expect_test::expect![[r#"
            {
              "code": "overloaded",
              "detail": "Try again.",
              "request_id": "abc-1",
              "status": 503,
              "title": "The service is full",
              "type": "urn:punctual:problem:overloaded"
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&body).unwrap());
    }
}
