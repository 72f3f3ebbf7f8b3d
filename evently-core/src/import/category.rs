//! The categories of a plan while it is read.

use std::collections::HashMap;

use super::{limits::CATEGORIES_MAX, text::listed};
use crate::domain::Category;

/// Categories in their order, found by name.
#[derive(Default)]
pub(super) struct Categories {
    list: Vec<Category>,
    by_name: HashMap<String, u16>,
}

impl Categories {
    /// Adds a category that the plan lists; `false` where its name is there already.
    pub(super) fn declare(&mut self, category: Category) -> bool {
        let is_new = !self.by_name.contains_key(&category.name);
        if is_new {
            self.push(category);
        }
        is_new
    }

    pub(super) fn find(&self, name: &str) -> Option<u16> {
        self.by_name.get(name).copied()
    }

    /// The category of this name, which comes into being where a seat names it first.
    pub(super) fn find_or_add(&mut self, name: String) -> u16 {
        self.find(&name).unwrap_or_else(|| self.push(Category { name, color: None }))
    }

    /// Says which categories there are.
    pub(super) fn in_words(&self) -> String {
        const NAMED_MAX: usize = 8;
        let names = listed(self.list.iter().take(NAMED_MAX).map(|category| category.name.as_str()));
        if self.list.len() > NAMED_MAX { format!("{names}, among others") } else { names }
    }

    pub(super) fn into_list(self) -> Vec<Category> {
        self.list
    }

    /// Once there are too many, which is reported when the layout is built, the last one stands for the rest.
    fn push(&mut self, category: Category) -> u16 {
        let position = u16::try_from(self.list.len()).expect("no more are kept than the limit and one");
        if self.list.len() > CATEGORIES_MAX {
            return position - 1;
        }
        self.by_name.insert(category.name.clone(), position);
        self.list.push(category);
        position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_the_first_category_that_has_it() {
        let mut categories = Categories::default();
        assert!(categories.declare(Category { name: "A".into(), color: None }));
        assert!(!categories.declare(Category { name: "A".into(), color: Some("red".into()) }));
        assert_eq!((categories.find_or_add("B".into()), categories.find_or_add("B".into())), (1, 1));
        assert_eq!((categories.find("A"), categories.find("C")), (Some(0), None));
        assert_eq!(categories.in_words(), "`A` and `B`");
    }

    #[test]
    fn far_too_many_names_do_no_harm() {
        let mut categories = Categories::default();
        for number in 0..100_000 {
            categories.find_or_add(number.to_string());
        }
        assert_eq!(categories.find_or_add("one more".to_owned()), u16::try_from(CATEGORIES_MAX).unwrap(), "the last one");
        assert_eq!(categories.into_list().len(), CATEGORIES_MAX + 1);
    }

    #[test]
    fn eight_are_named_and_the_others_are_not() {
        let mut categories = Categories::default();
        for name in ["A", "B", "C", "D", "E", "F", "G", "H"] {
            categories.find_or_add(name.to_owned());
        }
        assert!(categories.in_words().ends_with("`H`"), "{}", categories.in_words());
        categories.find_or_add("I".to_owned());
        assert!(categories.in_words().ends_with("among others"), "{}", categories.in_words());
    }
}
