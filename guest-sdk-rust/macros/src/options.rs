//! What stands in the parentheses of an attribute.

use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Ident, Lit, LitFloat, LitInt, LitStr, Token, UnOp};

use crate::durations;

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Task,
    Workflow,
}

/// The options of one function. Lengths of time are in milliseconds.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) queue: Option<LitStr>,
    pub(crate) priority: Option<i16>,
    pub(crate) retries: Option<u32>,
    pub(crate) backoff: Option<u64>,
    pub(crate) max_backoff: Option<u64>,
    pub(crate) multiplier: Option<f64>,
    pub(crate) timeout: Option<u64>,
    pub(crate) heartbeat: Option<u64>,
    pub(crate) queue_timeout: Option<u64>,
    pub(crate) total_timeout: Option<u64>,
}

const TASK: [&str; 11] = [
    "name",
    "queue",
    "priority",
    "retries",
    "backoff",
    "multiplier",
    "max_backoff",
    "timeout",
    "heartbeat",
    "queue_timeout",
    "total_timeout",
];

impl Kind {
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Kind::Task => "task",
            Kind::Workflow => "workflow",
        }
    }

    fn options(self) -> Vec<&'static str> {
        TASK.into_iter().filter(|option| self == Kind::Task || *option != "heartbeat").collect()
    }
}

impl Options {
    pub(crate) fn parse(kind: Kind, tokens: TokenStream) -> Result<Self, Error> {
        let mut options = Options::default();
        let mut seen: Vec<Ident> = Vec::new();
        for said in Punctuated::<Said, Token![,]>::parse_terminated.parse2(tokens)? {
            if seen.contains(&said.name) {
                return Err(Error::new(said.name.span(), format!("`{}` is said twice", said.name)));
            }
            options.set(kind, &said)?;
            seen.push(said.name);
        }
        Ok(options)
    }

    fn set(&mut self, kind: Kind, said: &Said) -> Result<(), Error> {
        let name = said.name.to_string();
        if !kind.options().contains(&name.as_str()) {
            return Err(Error::new(
                said.name.span(),
                format!("a {} has no option `{name}`; it has: {}", kind.noun(), kind.options().join(", ")),
            ));
        }
        match name.as_str() {
            "name" => self.name = Some(said.name_text()?),
            "queue" => self.queue = Some(said.name_text()?),
            "priority" => self.priority = Some(said.number("from -32768 to 32767")?),
            "retries" => self.retries = Some(said.number("from 0 to 4294967295")?),
            "multiplier" => self.multiplier = Some(said.factor()?),
            "backoff" => self.backoff = Some(said.duration()?),
            "max_backoff" => self.max_backoff = Some(said.duration()?),
            "timeout" => self.timeout = Some(said.duration()?),
            "heartbeat" => self.heartbeat = Some(said.duration()?),
            "queue_timeout" => self.queue_timeout = Some(said.duration()?),
            _ => self.total_timeout = Some(said.duration()?),
        }
        Ok(())
    }
}

/// `name = value`.
struct Said {
    name: Ident,
    value: Expr,
}

impl Parse for Said {
    fn parse(input: ParseStream<'_>) -> Result<Self, Error> {
        let name = input.parse()?;
        input.parse::<Token![=]>()?;
        Ok(Self { name, value: input.parse()? })
    }
}

impl Said {
    fn wrong(&self, expected: &str) -> Error {
        Error::new_spanned(&self.value, format!("`{}` is {expected}", self.name))
    }

    fn literal(&self) -> Option<(bool, &Lit)> {
        match &self.value {
            Expr::Lit(literal) => Some((false, &literal.lit)),
            Expr::Unary(minus) if matches!(minus.op, UnOp::Neg(_)) => match &*minus.expr {
                Expr::Lit(literal) => Some((true, &literal.lit)),
                _ => None,
            },
            _ => None,
        }
    }

    fn text(&self, expected: &str) -> Result<&LitStr, Error> {
        match self.literal() {
            Some((false, Lit::Str(text))) => Ok(text),
            _ => Err(self.wrong(expected)),
        }
    }

    /// The name of a function or queue, as the contract allows them.
    fn name_text(&self) -> Result<LitStr, Error> {
        let expected = "made of a-z, 0-9, `_`, `.` and `-`, 1 to 100 of them, in quotes";
        let text = self.text(expected)?;
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
        let value = text.value();
        if value.is_empty() || value.len() > 100 || !value.chars().all(allowed) {
            return Err(self.wrong(expected));
        }
        Ok(text.clone())
    }

    fn duration(&self) -> Result<u64, Error> {
        durations::parse(self.text("a duration in quotes, such as \"30s\"")?)
    }

    fn number<N: TryFrom<i64>>(&self, range: &str) -> Result<N, Error> {
        let wrong = || self.wrong(&format!("a whole number {range}"));
        match self.literal() {
            Some((negative, Lit::Int(number))) => {
                let value: i64 = LitInt::base10_parse(number).map_err(|_| wrong())?;
                N::try_from(if negative { -value } else { value }).map_err(|_| wrong())
            }
            _ => Err(wrong()),
        }
    }

    fn factor(&self) -> Result<f64, Error> {
        let factor = match self.literal() {
            Some((false, Lit::Float(number))) => LitFloat::base10_parse(number).ok(),
            Some((false, Lit::Int(number))) => LitInt::base10_parse::<u32>(number).ok().map(f64::from),
            _ => None,
        };
        factor.filter(|factor| *factor >= 1.0 && factor.is_finite()).ok_or_else(|| self.wrong("a number, 1 or more"))
    }
}
