//! What tests say: practices, appointments, phones, local times.
//!
//! Every practice of the tests is in São Paulo (three hours behind UTC all year), sends from 08:00
//! to 20:00, and has two rules without scatter, so that due times can be read off: a day before, at
//! the start of the four hours that hold it, and two hours before, at the start of the hour.
//!
//! Never here: what comes of it.

use std::sync::{Arc, Mutex};

use contract::READ_AFTER;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::client::{Answer, Call, Client, NoAnswer};
use crate::wait::until;

/// The offset of every local time in the tests.
const OFFSET: &str = "-03:00";

/// The patient's name in every appointment of the tests: it must never be in a log.
pub const PATIENT: &str = "Zuzanna Quill";

/// What every text of the tests says, so that it can be looked for where it must not be.
pub const TEXT: &str = "Reminder from";

/// A local time such as `2026-05-05T12:00`.
///
/// # Panics
/// When it isn't one.
pub fn at(local: &str) -> Timestamp {
    format!("{local}:00{OFFSET}").parse().unwrap_or_else(|error| panic!("{local}: {error}"))
}

/// A made-up phone number: country code 999 is nobody's.
pub fn phone(number: u32) -> String {
    assert!(number < 100_000_000, "eight digits");
    format!("+999{number:08}")
}

/// The number that a practice of the tests sends from.
pub fn sender(practice_id: i64) -> String {
    phone(80_000_000 + u32::try_from(practice_id).expect("tests number their practices from one"))
}

/// A practice's settings as they are put.
pub fn settings(practice_id: i64) -> Value {
    json!({
        "name": format!("Practice {practice_id}"),
        "timezone": "America/Sao_Paulo",
        "sender": sender(practice_id),
        "send_from": "08:00",
        "send_until": "20:00",
        "rules": [
            {
                "rule_id": 1, "name": "day_before", "before_days": 1, "before_minutes": 0,
                "grouping_minutes": 240, "scatter_seconds": 0, "template": template(),
            },
            {
                "rule_id": 2, "name": "two_hours_before", "before_days": 0, "before_minutes": 120,
                "grouping_minutes": 60, "scatter_seconds": 0, "template": template(),
            },
        ],
    })
}

/// A template that tells of every appointment in its text.
pub fn template() -> String {
    format!(
        "{TEXT} {{{{ practice }}}}:{{% for a in appointments %}} {{{{ a.time }}}} \
         {{{{ a.patient }}}}.{{% endfor %}}"
    )
}

/// An appointment as it is sent in.
#[derive(Debug, Clone)]
pub struct Appointment(Value);

/// An appointment, version 1, on Wednesday at 14:30: its reminders are due on Tuesday at 12:00 and
/// on Wednesday at 12:00.
pub fn appointment(id: &str) -> Appointment {
    Appointment(json!({
        "appointment_id": id,
        "version": 1,
        "starts_at": at("2026-05-06T14:30"),
        "phone": phone(1),
        "patient_name": PATIENT,
    }))
}

/// When the first reminder of an [`appointment`] is due.
pub const FIRST_DUE: &str = "2026-05-05T12:00";
/// When the second one is.
pub const SECOND_DUE: &str = "2026-05-06T12:00";

impl Appointment {
    /// At this local time instead.
    #[must_use]
    pub fn starts(self, local: &str) -> Self {
        self.with("starts_at", json!(at(local)))
    }

    /// As this version.
    #[must_use]
    pub fn version(self, version: u64) -> Self {
        self.with("version", json!(version))
    }

    /// With this phone.
    #[must_use]
    pub fn phone(self, number: u32) -> Self {
        self.with("phone", json!(phone(number)))
    }

    /// Cancelled.
    #[must_use]
    pub fn cancelled(self) -> Self {
        self.with("status", json!("cancelled"))
    }

    /// With a field as given.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.0[field] = value;
        self
    }

    /// As JSON.
    pub fn json(&self) -> &Value {
        &self.0
    }
}

/// A practice with a key of its own.
#[derive(Debug, Clone)]
pub struct Practice {
    client: Client,
    /// Its id.
    pub id: i64,
    /// Its key.
    pub key: String,
    /// What its last write was answered to read after.
    token: Arc<Mutex<Option<String>>>,
}

impl Practice {
    /// Puts a practice and makes it a key.
    pub async fn put(client: &Client, id: i64, settings: &Value) -> Self {
        let path = format!("/v1/practices/{id}");
        client.put(&path, settings).send().await.expect(201);
        let made = client.post(&format!("{path}/api-keys"), &json!({})).send().await.json(201);
        let key = made["api_key"].as_str().expect("a new key is shown").to_owned();
        Self { client: client.clone(), id, key, token: Arc::default() }
    }

    /// The same practice through another process.
    #[must_use]
    pub fn through(&self, client: &Client) -> Self {
        Self { client: client.clone(), ..self.clone() }
    }

    /// A call of the practice's own: it has seen what the practice has written.
    fn own(&self, call: Call) -> Call {
        let token = self.token.lock().expect("nothing panics under this lock").clone();
        let call = call.key(&self.key);
        match token {
            Some(token) => call.header(READ_AFTER, &token),
            None => call,
        }
    }

    /// Keeps what a write is to be read after.
    fn wrote(&self, answer: &Answer) {
        let token = answer.header(READ_AFTER);
        if !token.is_empty() {
            let mut kept = self.token.lock().expect("nothing panics under this lock");
            *kept = Some(token.to_owned());
        }
    }

    /// The number that it sends from.
    pub fn sender(&self) -> String {
        sender(self.id)
    }

    /// A path below the practice's own.
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/practices/{}{rest}", self.id)
    }

    /// Sends in appointments and returns what became of each.
    pub async fn send(&self, appointments: &[Appointment]) -> Vec<Value> {
        let items: Vec<&Value> = appointments.iter().map(Appointment::json).collect();
        let call = self.own(self.client.post(&self.path("/appointments"), &json!(items)));
        let answer = call.send().await;
        self.wrote(&answer);
        let answer = answer.json(200);
        answer["results"].as_array().expect("results").clone()
    }

    /// Sends in one appointment, which must be stored.
    ///
    /// # Panics
    /// When it isn't.
    pub async fn book(&self, appointment: &Appointment) -> Value {
        let results = self.send(std::slice::from_ref(appointment)).await;
        assert_eq!(results[0]["outcome"], "stored", "{:?}", results[0]);
        results[0].clone()
    }

    /// Sends in one appointment; for when the other side may be in trouble.
    ///
    /// # Errors
    /// It was not answered.
    pub async fn try_book(&self, appointment: &Appointment) -> Result<Answer, NoAnswer> {
        let path = self.path("/appointments");
        let answer = self.own(self.client.post(&path, appointment.json())).try_send().await?;
        self.wrote(&answer);
        Ok(answer)
    }

    /// Cancels an appointment.
    pub async fn cancel(&self, id: &str) -> Value {
        let path = self.path(&format!("/appointments/{id}/cancel"));
        let answer = self.own(self.client.post(&path, &json!({}))).send().await;
        self.wrote(&answer);
        answer.json(200)
    }

    /// An appointment with its reminders.
    pub async fn appointment(&self, id: &str) -> Value {
        let path = self.path(&format!("/appointments/{id}"));
        self.own(self.client.get(&path)).send().await.json(200)
    }

    /// The reminders of an appointment under a rule, those that were stopped too.
    pub async fn reminders(&self, id: &str, rule_id: i64) -> Vec<Value> {
        let appointment = self.appointment(id).await;
        let reminders = appointment["messages"].as_array().expect("messages").iter();
        reminders.filter(|reminder| reminder["rule_id"] == rule_id).cloned().collect()
    }

    /// Waits until an appointment's newest reminder under a rule is as wanted, and returns it.
    pub async fn until(
        &self,
        id: &str,
        rule_id: i64,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let what = format!("{id}, rule {rule_id}: {what}");
        let look = async || self.reminders(id, rule_id).await.pop().filter(&wanted);
        until(&what, look).await
    }

    /// Waits until an appointment's newest reminder under a rule has come to a fate.
    pub async fn until_fate(&self, id: &str, rule_id: i64, fate: &str) -> Value {
        self.until(id, rule_id, fate, |reminder| reminder["fate"] == fate).await
    }

    /// Its messages, all of them.
    pub async fn messages(&self) -> Vec<Value> {
        let call = self.own(self.client.get(&self.path("/messages?limit=500")));
        call.send().await.json(200)["messages"].as_array().expect("messages").clone()
    }

    /// The counts of a day for a rule; null if there are none.
    pub async fn counts(&self, day: &str, rule_id: i64) -> Value {
        let call = self.own(self.client.get(&self.path(&format!("/days/{day}/counts"))));
        let answer = call.send().await.json(200);
        let rules = answer["rules"].as_array().expect("rules");
        rules.iter().find(|rule| rule["rule_id"] == rule_id).cloned().unwrap_or_default()
    }
}
