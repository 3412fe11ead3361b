//! Finds the word that somebody probably meant.

/// The candidate that is spelt most like `offered`, if one is near enough to be worth proposing. Case counts for nothing.
pub(crate) fn nearest<'c>(offered: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let lower = offered.to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
    let near = candidates.into_iter().map(|candidate| (distance(candidate), candidate));
    near.filter(|&(distance, _)| distance <= offered.chars().count() / 3).min().map(|(_, candidate)| candidate)
}

/// The end of a message about a word that nobody knows: what may have been meant.
pub(crate) fn did_you_mean<'c>(offered: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
    nearest(offered, candidates).map(|candidate| format!("; did you mean `{candidate}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_slip_of_the_keyboard_is_corrected() {
        let known = ["careful", "canary", "Europe/Berlin"];
        assert_eq!(nearest("carefull", known), Some("careful"));
        assert_eq!(nearest("cnaary", known), Some("canary"));
        assert_eq!(nearest("europe/berlin", known), Some("Europe/Berlin"));
        assert_eq!(nearest("slow", known), None);
        assert_eq!(nearest("", known), None);
    }
}
