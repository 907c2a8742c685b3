//! The rules of a practice that states none: a day before and two hours before, in characters that
//! every phone shows and that fit 160 to a segment.

use crate::practice::Rule;

/// What patients read the day before.
const DAY_BEFORE: &str = "\
{{ practice }}: \
{% if appointments|length == 1 %}\
{% if patient %}{{ patient }}, your{% else %}Your{% endif %} appointment is {{ when }}.\
{% for a in appointments %}{% if a.instructions %} {{ a.instructions }}{% endif %}{% endfor %}\
{% else %}\
Your appointments: \
{% for a in appointments %}\
{% if a.patient %}{{ a.patient }} {% endif %}{{ a.when }}\
{% if a.instructions %} ({{ a.instructions }}){% endif %}\
{% if not loop.last %}; {% endif %}{% endfor %}.\
{% endif %} \
Reply YES to confirm, NO to cancel, STOP to end.";

/// What patients read two hours before.
const TWO_HOURS_BEFORE: &str = "\
{{ practice }}: \
{% if appointments|length == 1 %}\
{% if patient %}{{ patient }}, see{% else %}See{% endif %} you {{ when }}.\
{% for a in appointments %}{% if a.instructions %} {{ a.instructions }}{% endif %}{% endfor %}\
{% else %}\
See you soon: \
{% for a in appointments %}\
{% if a.patient %}{{ a.patient }} {% endif %}{{ a.when }}\
{% if a.instructions %} ({{ a.instructions }}){% endif %}\
{% if not loop.last %}; {% endif %}{% endfor %}.\
{% endif %}";

/// What is sent where a practice's own template fails, which its validation makes unlikely.
pub(super) const FALLBACK: &str = DAY_BEFORE;

/// The two rules that a practice has without stating any.
pub(crate) fn default_rules() -> Vec<Rule> {
    let rule = |rule_id, name: &str, before_days, before_minutes, template: &str| Rule {
        rule_id,
        name: name.to_owned(),
        before_days,
        before_minutes,
        grouping_minutes: 240,
        scatter_seconds: 600,
        template: template.to_owned(),
    };
    vec![
        rule(1, "day_before", 1, 0, DAY_BEFORE),
        rule(2, "two_hours_before", 0, 120, TWO_HOURS_BEFORE),
    ]
}
