//! Which revision a build is of: what is given to it, else what git says, else nobody knows. Used
//! by the build script, and compiled into the crate for its tests alone.

/// The variable of the environment that gives it, and that hands it to the compiler.
pub(crate) const GIVEN: &str = "BUILD_REVISION";

/// What is said where nobody knows.
const UNKNOWN: &str = "unknown";

/// It is a label of a metric: about as long as a tag is.
const LEN_MAX: usize = 64;

/// Whether the sources are those of the revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tree {
    /// They are.
    Committed,
    /// They may be of later: they are being worked on.
    Changing,
}

/// The revision, with a plus where the sources may be of later.
///
/// # Errors
/// What is given can't be one.
pub(crate) fn of(
    given: Option<&str>,
    git: impl Fn(&[&str]) -> Option<String>,
    tree: Tree,
) -> Result<String, String> {
    if let Some(given) = given.filter(|given| !given.is_empty()) {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._+/".contains(&byte);
        if given.len() <= LEN_MAX && given.bytes().all(is_plain) {
            return Ok(given.to_owned());
        }
        let form = "letters, digits and - . _ + / alone";
        return Err(format!("{GIVEN} must be at most {LEN_MAX} characters, {form}"));
    }
    // Sources that were unpacked within another repository are of none of its revisions.
    let is_its_own = || git(&["rev-parse", "--show-prefix"]).is_some_and(|at| at == "service/");
    let head = || git(&["rev-parse", "--short=12", "HEAD"]);
    let known = if is_its_own() { head() } else { None };
    let plus = match tree {
        Tree::Committed => "",
        Tree::Changing => "+",
    };
    Ok(known.map_or_else(|| UNKNOWN.to_owned(), |revision| revision + plus))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clone whose top is where it should be, or above that.
    fn clone_at(prefix: &str) -> impl Fn(&[&str]) -> Option<String> {
        move |arguments| match arguments {
            ["rev-parse", "--show-prefix"] => Some(prefix.to_owned()),
            ["rev-parse", "--short=12", "HEAD"] => Some("0123456789ab".to_owned()),
            _ => panic!("{arguments:?}"),
        }
    }

    #[test]
    fn what_is_given_counts_then_git_then_nobody_knows() {
        let of = |given, git: &dyn Fn(&[&str]) -> Option<String>, tree| super::of(given, git, tree);
        let (ours, none) = (clone_at("service/"), |_: &[&str]| None);
        let is = |revision: &str| Ok(revision.to_owned());
        assert_eq!(of(Some("v1.2.3"), &ours, Tree::Changing), is("v1.2.3"));
        for nothing in [None, Some("")] {
            assert_eq!(of(nothing, &ours, Tree::Committed), is("0123456789ab"));
            assert_eq!(of(nothing, &ours, Tree::Changing), is("0123456789ab+"));
            assert_eq!(of(nothing, &none, Tree::Committed), is("unknown"));
            assert_eq!(of(nothing, &clone_at("vendor/x/service/"), Tree::Changing), is("unknown"));
        }
        for wrong in ["two words", "a\nb", "\"", &"x".repeat(65)] {
            assert!(of(Some(wrong), &ours, Tree::Committed).is_err(), "{wrong}");
        }
    }
}
