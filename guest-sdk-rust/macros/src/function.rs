//! The function under an attribute, checked: what is refused here would otherwise be an error in code that the user never wrote.

use proc_macro2::TokenStream;
use syn::spanned::Spanned;
use syn::{Error, FnArg, GenericArgument, Ident, ItemFn, Pat, PatType, PathArguments, ReturnType, Type};

use crate::options::Kind;

/// A function that can be a task or a workflow.
pub(crate) struct Function {
    pub(crate) item: ItemFn,
    /// Names for the arguments: their own where they have one.
    pub(crate) arguments: Vec<(Ident, Type)>,
    pub(crate) returns: Type,
}

impl Function {
    pub(crate) fn parse(kind: Kind, tokens: TokenStream) -> Result<Self, Error> {
        let noun = kind.noun();
        let item: ItemFn = syn::parse2(tokens).map_err(|error| {
            Error::new(error.span(), format!("`#[currant::{noun}]` belongs on a function with a body: {error}"))
        })?;
        let signature = &item.sig;
        match (kind, &signature.asyncness) {
            (Kind::Task, Some(keyword)) => {
                let message = "a task is an ordinary `fn`: it runs on its own and may block; only workflows are `async`";
                return Err(Error::new(keyword.span, message));
            }
            (Kind::Workflow, None) => {
                let message = "a workflow is an `async fn`: it awaits what it starts";
                return Err(Error::new(signature.fn_token.span, message));
            }
            _ => {}
        }
        let refuse = |span, what: &str| Err(Error::new(span, format!("a {noun} {what}")));
        if !signature.generics.params.is_empty() || signature.generics.where_clause.is_some() {
            let message = format!("a {noun} has no generics: its input and result are of one type");
            return Err(Error::new_spanned(&signature.generics, message));
        }
        if let Some(keyword) = &signature.constness {
            return refuse(keyword.span, "is not `const`");
        }
        if let Some(keyword) = &signature.unsafety {
            return refuse(keyword.span, "is not `unsafe`");
        }
        if let Some(abi) = &signature.abi {
            return refuse(abi.span(), "is a plain Rust function: the component is called by name");
        }
        let returns = match &signature.output {
            ReturnType::Type(_, returns) => (**returns).clone(),
            ReturnType::Default => {
                return refuse(signature.ident.span(), "returns `Result<T, Failure>`; write `-> Result<(), Failure>`");
            }
        };
        if let Some(borrowed) = borrowed_result(&returns) {
            let message =
                format!("a {noun} returns a value of its own: callers read it from JSON, and there is nothing to borrow from");
            return Err(Error::new_spanned(borrowed, message));
        }
        let arguments = signature
            .inputs
            .iter()
            .enumerate()
            .map(|(index, argument)| read(noun, index, argument))
            .collect::<Result<_, _>>()?;
        Ok(Self { arguments, returns, item })
    }
}

fn read(noun: &str, index: usize, argument: &FnArg) -> Result<(Ident, Type), Error> {
    let PatType { pat, ty, .. } = match argument {
        FnArg::Receiver(receiver) => {
            return Err(Error::new_spanned(receiver, format!("a {noun} is a free function: it has no `self`")));
        }
        FnArg::Typed(typed) => typed,
    };
    match &**ty {
        Type::Reference(_) => Err(Error::new_spanned(
            ty,
            format!("a {noun} takes its arguments by value: they are read from JSON, and there is nothing to borrow from"),
        )),
        Type::ImplTrait(_) => {
            Err(Error::new(ty.span(), format!("a {noun} has no generics: its input and result are of one type")))
        }
        _ => Ok((name(index, pat), (**ty).clone())),
    }
}

/// The `&T` of `Result<&T, E>`.
fn borrowed_result(returns: &Type) -> Option<&Type> {
    let Type::Path(path) = returns else { return None };
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(value @ Type::Reference(_)) => Some(value),
        _ => None,
    }
}

fn name(index: usize, pattern: &Pat) -> Ident {
    match pattern {
        Pat::Ident(pattern) if pattern.subpat.is_none() => pattern.ident.clone(),
        pattern => Ident::new(&format!("argument_{}", index + 1), pattern.span()),
    }
}
