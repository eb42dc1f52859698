//! What an omitted answer counts as.
//!
//! Input: a text form by serde, the number of categories of an item. Output: a [`Given`]. Must not know: who omitted the
//! answer, or when.

use crate::bank::Bank;
use crate::event::Given;
use serde::{Deserialize, Serialize};

/// What omitted answers count as, by the kind of the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Omission {
    /// Items of two categories: category 0, which is wrong, unless told otherwise.
    pub dichotomous: OmittedAs,
    /// Items of more categories: missing, unless told otherwise. Category 0 of a rating scale is an answer such as "never",
    /// which nobody has given who gave none.
    pub polytomous: OmittedAs,
}

/// What an omitted answer counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OmittedAs {
    /// No response: missing at random, without information about the ability.
    Missing,
    /// This category.
    Category(u8),
}

impl Default for Omission {
    fn default() -> Self {
        Self { dichotomous: OmittedAs::Category(0), polytomous: OmittedAs::Missing }
    }
}

impl Omission {
    /// Whether these are the defaults.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What the omission of an item with so many categories counts as.
    pub fn given(&self, categories: usize) -> Given {
        match if categories == 2 { self.dichotomous } else { self.polytomous } {
            OmittedAs::Missing => Given::Missing,
            OmittedAs::Category(category) => Given::Category(category),
        }
    }

    /// The first item of a bank that lacks the category.
    pub(crate) fn fault_on(&self, bank: &Bank) -> Option<String> {
        let lacking =
            bank.curves().iter().enumerate().find_map(|(item, curve)| match self.given(curve.categories()) {
                Given::Category(category) if usize::from(category) >= curve.categories() => {
                    Some((item, category))
                }
                _ => None,
            });
        lacking.map(|(item, category)| format!("category {category} is none of item {item} (counted from 0)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_omitted_answer_is_wrong_or_missing_by_the_kind_of_the_item() {
        let default = Omission::default();
        assert_eq!((default.given(2), default.given(5)), (Given::Category(0), Given::Missing));
        let other = Omission { dichotomous: OmittedAs::Missing, polytomous: OmittedAs::Category(1) };
        assert_eq!((other.given(2), other.given(5)), (Given::Missing, Given::Category(1)));
        let text = r#"{"dichotomous":"missing","polytomous":{"category":1}}"#;
        assert_eq!(serde_json::from_str::<Omission>(text).unwrap(), other);
    }
}
