//! Twilio's errors: their codes, words and JSON form.
//!
//! Here belongs what a client can be told; who is told is in `twilio` and `server`.

use http::StatusCode;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;

use crate::provider::response::{self, Answer};

/// An error as Twilio's API answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TwilioError {
    /// The request has no, or the wrong, account and token.
    Authenticate,
    /// There is nothing at this path.
    NotFound(String),
    /// There is something, but not for this method.
    MethodNotAllowed,
    /// The text is under way and can't be changed before its end.
    NotComplete,
    /// The text isn't one for later, so it can't be cancelled.
    NotScheduled,
    /// A field is missing or wrong.
    Field(FieldError),
    /// A filter of a list is wrong.
    Parameter(String),
    /// The body is larger than is read.
    TooLarge,
    /// The body did not come in time.
    TooSlow,
    /// Too many requests; the seconds to wait.
    TooManyRequests(u32),
    /// Something went wrong inside.
    Internal,
    /// It can't be done now; the seconds to wait.
    Unavailable(u32),
}

/// What is wrong with a request to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FieldError {
    ToMissing,
    ToInvalid(String),
    FromMissing,
    FromInvalid(String),
    MessagingServiceInvalid(String),
    BodyMissing,
    BodyTooLong,
    CallbackInvalid(String),
}

#[derive(Serialize)]
struct Document<'a> {
    code: u32,
    message: &'a str,
    more_info: String,
    status: u16,
}

impl TwilioError {
    /// The answer that says so.
    pub(crate) fn answer(&self) -> Answer {
        let (status, code, message) = self.parts();
        let document = Document {
            code,
            message: &message,
            more_info: format!("https://www.twilio.com/docs/errors/{code}"),
            status: status.as_u16(),
        };
        let answer = response::json(status, &document);
        match self {
            Self::Authenticate => {
                response::with(answer, WWW_AUTHENTICATE, "Basic realm=\"Twilio API\"")
            }
            Self::TooManyRequests(seconds) | Self::Unavailable(seconds) => {
                response::with(answer, RETRY_AFTER, &seconds.to_string())
            }
            Self::NotFound(_)
            | Self::MethodNotAllowed
            | Self::NotComplete
            | Self::NotScheduled
            | Self::Field(_)
            | Self::Parameter(_)
            | Self::TooLarge
            | Self::TooSlow
            | Self::Internal => answer,
        }
    }

    fn parts(&self) -> (StatusCode, u32, String) {
        match self {
            Self::Authenticate => (StatusCode::UNAUTHORIZED, 20003, "Authenticate".into()),
            Self::NotFound(path) => {
                let message = format!("The requested resource {path} was not found");
                (StatusCode::NOT_FOUND, 20404, message)
            }
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, 20004, "Method not allowed".into())
            }
            Self::NotComplete => {
                let message = "Cannot delete this resource before it is complete".into();
                (StatusCode::CONFLICT, 20009, message)
            }
            Self::NotScheduled => {
                (StatusCode::CONFLICT, 30409, "This message cannot be canceled".into())
            }
            Self::Field(field) => {
                let (code, message) = field.parts();
                (StatusCode::BAD_REQUEST, code, message)
            }
            Self::Parameter(name) => {
                (StatusCode::BAD_REQUEST, 20001, format!("Invalid parameter: {name}"))
            }
            // Twilio's gateway answers these two without a code of its own.
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, 413, "Request entity too large".into())
            }
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, 408, "Request timeout".into()),
            Self::TooManyRequests(_) => {
                (StatusCode::TOO_MANY_REQUESTS, 20429, "Too Many Requests".into())
            }
            Self::Internal => {
                (StatusCode::INTERNAL_SERVER_ERROR, 20500, "Internal Server Error".into())
            }
            Self::Unavailable(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, 20503, "Service Unavailable".into())
            }
        }
    }
}

impl FieldError {
    fn parts(&self) -> (u32, String) {
        match self {
            Self::ToMissing => (21604, "A 'To' phone number is required.".into()),
            Self::ToInvalid(to) => (21211, format!("Invalid 'To' Phone Number: {to}")),
            Self::FromMissing => (21603, "A 'From' phone number is required.".into()),
            Self::FromInvalid(from) => {
                (21212, format!("The 'From' number {from} is not a valid phone number."))
            }
            Self::MessagingServiceInvalid(sid) => {
                (21701, format!("The Messaging Service {sid} does not exist."))
            }
            Self::BodyMissing => (21602, "Message body is required.".into()),
            Self::BodyTooLong => {
                (21617, "The concatenated message body exceeds the 1600 character limit".into())
            }
            Self::CallbackInvalid(why) => (21609, format!("The StatusCallback URL {why}")),
        }
    }
}
