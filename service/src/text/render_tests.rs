//! What templates give, and what is refused.

use expect_test::{Expect, expect};
use jiff::civil::{date, time};

use super::*;
use crate::text::default_rules;

const NAME: &str = "Praia Dental";

fn revision(template: Option<&str>) -> Revision {
    let mut rules = default_rules();
    if let Some(template) = template {
        rules[0].template = template.to_owned();
    }
    Revision {
        practice_id: 7,
        revision: 1,
        timezone: TimeZone::get("America/Sao_Paulo").unwrap(),
        timezone_name: "America/Sao_Paulo".into(),
        send_from: time(8, 0, 0, 0),
        send_until: time(20, 0, 0, 0),
        rules,
    }
}

fn member<'a>(patient_name: &'a str, instructions: &'a str, starts_at: &str) -> Member<'a> {
    Member { patient_name, instructions, starts_at: starts_at.parse().unwrap() }
}

fn check(template: Option<&str>, rule_id: i16, members: &[Member<'_>], expected: Expect) {
    let texts = Texts::new(8);
    let text = texts.render(NAME, &revision(template), rule_id, date(2016, 5, 9), members);
    // A sentence a line.
    let body = text.body.replace(". ", ".\n").replace(": ", ":\n").replace("; ", ";\n");
    expected.assert_eq(&format!("{body} [{}]\n", text.segments));
}

#[test]
fn the_default_texts() {
    let ana = member("Ana Souza", "", "2016-05-10T12:30:00Z");
    let bo = member("Bo Souza", "Bring the X-rays.", "2016-05-10T13:00:00Z");
    check(
        None,
        1,
        &[ana],
        expect![[r#"
        Praia Dental:
        Ana, your appointment is tomorrow at 09:30.
        Reply YES to confirm, NO to cancel, STOP to end. [1]
    "#]],
    );
    check(
        None,
        1,
        &[ana, bo],
        expect![[r#"
        Praia Dental:
        Your appointments:
        Ana tomorrow at 09:30;
        Bo tomorrow at 10:00 (Bring the X-rays.).
        Reply YES to confirm, NO to cancel, STOP to end. [1]
    "#]],
    );
    let today = member("", "Come fasting.", "2016-05-09T20:00:00Z");
    check(
        None,
        2,
        &[today],
        expect![[r#"
        Praia Dental:
        See you today at 17:00.
        Come fasting. [1]
    "#]],
    );
    let far = member("Ana", "", "2016-05-20T12:30:00Z");
    check(
        None,
        1,
        &[far],
        expect![[r#"
        Praia Dental:
        Ana, your appointment is on Friday 20 May at 09:30.
        Reply YES to confirm, NO to cancel, STOP to end. [1]
    "#]],
    );
}

#[test]
fn a_practices_own_template() {
    let ana = member("Ana Souza", "", "2016-05-10T12:30:00Z");
    check(
        Some("{{ patient|upper }} {{ appointments[0].date }} {{ appointments[0].time }} <&>"),
        1,
        &[ana],
        expect![[r#"
            ANA Tuesday 10 May 09:30 <&> [1]
        "#]],
    );
}

#[test]
fn a_template_that_fails_gives_way() {
    let ana = member("Ana Souza", "", "2016-05-10T12:30:00Z");
    for template in ["{{ nothing }}", "{% for a in", "{{ appointments[3].time }}"] {
        let texts = Texts::new(8);
        let text = texts.render(NAME, &revision(Some(template)), 1, date(2016, 5, 9), &[ana]);
        assert!(text.body.contains("tomorrow at 09:30"), "{}", text.body);
    }
}

#[test]
fn the_largest_family_fits() {
    let long = "x".repeat(300);
    let members = vec![member("Ana", &long, "2016-05-10T12:30:00Z"); 40];
    let texts = Texts::new(8);
    let text = texts.render(NAME, &revision(None), 1, date(2016, 5, 9), &members);
    assert!(!text.body.is_empty() && units(&text.body) <= TEXT_UNITS_MAX);
}

#[test]
fn templates_that_are_refused() {
    for rule in default_rules() {
        assert_eq!(validate(&rule.template), Ok(()));
        assert!(rule.template.len() <= 1_000, "{}", rule.template.len());
    }
    let said = [
        "{{ practice",
        "{{ doctor }}",
        "{{ appointments[7].time }}",
        "{% for i in range(9) %}x{% endfor %}",
        "{% if false %}x{% endif %}",
        "{% include 'x' %}",
        "{{ practice|nonsense }}",
        "{% for a in appointments %}{% for b in practice %}{% for c in practice %}\
         {% for d in practice %}{% for e in practice %}{% endfor %}{% endfor %}{% endfor %}\
         {% endfor %}{% endfor %}x",
        // More than a hundred characters, once for each of them.
        "{% set x = practice ~ practice ~ practice ~ practice ~ practice ~ practice ~ practice %}\
         {% for c in x %}{{ x }}{% endfor %}",
    ]
    .map(|template| validate(template).unwrap_err())
    .join("\n");
    expect![[r#"
        syntax error: unexpected end of input, expected end of variable block (line 1)
        there is no doctor; a template can use practice, patient, when, appointments
        uses something that isn't there (line 1)
        there is no range; a template can use practice, patient, when, appointments
        gives an empty text
        syntax error: unknown statement include (line 1)
        unknown filter: filter nonsense is unknown (line 1)
        does too much work (line 1)
        gives a text of more than 1600 characters"#]]
    .assert_eq(&said);
}
