//! Components of a few lines of WebAssembly, for what no language's toolchain would make.

/// What one of them does. What it does not say does nothing, or traps.
#[derive(Default)]
pub(crate) struct Bare<'a> {
    /// The body of `describe`, which answers the address of a description.
    pub(crate) describe: &'a str,
    /// The body of `run`, which answers the address of a result.
    pub(crate) run: &'a str,
    /// What else stands in its module.
    pub(crate) core: &'a str,
    /// What it imports, with the lowering of it.
    pub(crate) imports: &'a str,
    /// What of that its module is given.
    pub(crate) given: &'a str,
}

impl Bare<'_> {
    /// The component.
    pub(crate) fn build(&self) -> Vec<u8> {
        let text = include_str!("bare.wat")
            .replace("IMPORTS", self.imports)
            .replace("GIVEN", self.given)
            .replace("CORE", self.core)
            .replace("DESCRIBE", or_trap(self.describe))
            .replace("RUN", or_trap(self.run));
        // Without the comment, whose capitals were replaced as well.
        let (_, component) = text.split_once("(component").expect("it is one");
        wat::parse_str(format!("(component{component}")).unwrap()
    }
}

fn or_trap(body: &str) -> &str {
    if body.is_empty() { "unreachable" } else { body }
}
