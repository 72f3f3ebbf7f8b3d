//! Categories of the open seating-plan JSON, and what they say of their seats.

use std::collections::HashSet;

use super::{ACCESSIBLE_KEYS, leave_out_others, lenient, says_accessible};
use crate::{
    domain::Category,
    import::{
        category::Categories,
        json::Object,
        text::{color, name, quote},
    },
};

/// Names of categories that say of their seats that they are wheelchair places; to contain such a word is not enough.
const ACCESSIBLE_NAMES: [&str; 14] = [
    "wheelchair",
    "wheelchairs",
    "wheelchair place",
    "wheelchair places",
    "wheelchair seat",
    "wheelchair seats",
    "wheelchair space",
    "wheelchair spaces",
    "accessible",
    "rollstuhl",
    "rollstuhlplatz",
    "rollstuhlplätze",
    "fauteuil roulant",
    "silla de ruedas",
];

/// Where seats without a category go: the editor leaves it empty until somebody chooses one.
const NO_CATEGORY: &str = "No category";

pub(super) struct PlanCategories {
    categories: Categories,
    /// Those whose seats are wheelchair places, by their positions.
    accessible: HashSet<u16>,
}

impl PlanCategories {
    pub(super) fn read(plan: &Object<'_>) -> Self {
        let mut read = Self { categories: Categories::default(), accessible: HashSet::new() };
        for (_, category) in plan.objects("categories") {
            read.declare(&category);
        }
        read
    }

    fn declare(&mut self, category: &Object<'_>) {
        leave_out_others(category, "a category", &[&["name", "color"][..], &ACCESSIBLE_KEYS].concat());
        if category.text("name").is_none_or(|name| name.trim().is_empty()) {
            category.found.warn(category.path, "a category without a name was left out");
            return;
        }
        let Some(name) = category.checked("name", name) else { return };
        let color = category.text("color").and_then(|given| lenient(category, "a colour", color(given)));
        if !self.categories.declare(Category { name: name.clone(), color }) {
            category.found.warn(category.path, "a category that is listed twice is as it is listed first");
        } else if ACCESSIBLE_NAMES.contains(&name.to_lowercase().as_str()) || says_accessible(category) {
            self.accessible.extend(self.categories.find(&name));
        }
    }

    /// The position of the seat's category, and whether its seats are wheelchair places.
    pub(super) fn of_seat(&mut self, seat: &Object<'_>, named: impl Fn() -> String) -> Option<(u16, bool)> {
        let given = if seat.node("category").is_some() { seat.text("category")? } else { "" };
        if given.trim().is_empty() {
            let message = format!("a seat without a category was put into {}", quote(NO_CATEGORY));
            seat.found.warn(seat.path, message);
            return Some((self.categories.find_or_add(NO_CATEGORY.to_owned()), false));
        }
        let Some(category) = self.categories.find(given.trim()) else {
            let known = self.categories.in_words();
            let message = format!("{} has the category {}; the plan lists {known}", named(), quote(given));
            seat.problem_in("category", message);
            return None;
        };
        Some((category, self.accessible.contains(&category)))
    }

    pub(super) fn into_list(self) -> Vec<Category> {
        self.categories.into_list()
    }
}
