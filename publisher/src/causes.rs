//! An error and what caused it, as words for people.

use std::error::Error;

/// What `error` says and what its causes say, outermost first. A cause that the one before it has told already is left out.
///
/// Ours never repeat their source; those of other libraries do, up to four times over.
pub fn causes(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for said in std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string) {
        if told.last().is_none_or(|last| !last.contains(&said)) {
            told.push(said);
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{said}")]
    struct Layer {
        said: &'static str,
        source: Option<Box<Layer>>,
    }

    #[test]
    fn what_was_told_already_is_not_told_again() {
        let layers = ["cut off", "GET failed: cut off", "GET failed: cut off", "the store is unreachable"];
        let layers = layers.into_iter().fold(None, |source, said| Some(Box::new(Layer { said, source })));
        let outermost = layers.expect("four layers");
        assert_eq!(causes(&*outermost), ["the store is unreachable", "GET failed: cut off"]);
    }
}
