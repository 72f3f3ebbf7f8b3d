//! Files for operators, made to work in a test.

/// The text of a file of the folder `deploy`. What is not replaced is tested as it is shipped.
pub struct Shipped {
    name: &'static str,
    text: String,
}

impl Shipped {
    pub fn new(name: &'static str, text: &str) -> Self {
        Self { name, text: text.to_owned() }
    }

    /// Puts something else in every place where the file says so; an error if there is none, because then the file has changed.
    pub fn replace(&mut self, said: &str, instead: &str) -> Result<(), String> {
        if !self.text.contains(said) {
            return Err(format!("{} does not say `{said}` any more", self.name));
        }
        self.text = self.text.replace(said, instead);
        Ok(())
    }

    pub fn text(self) -> String {
        self.text
    }
}
