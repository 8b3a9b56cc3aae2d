//! What an attribute leaves in the place of the function.
//!
//! ```text
//! /// Takes the money.                           /// Takes the money.
//! #[currant::task(queue = "payments")]          fn charge(order: Order) -> TaskCall<Receipt> {
//! fn charge(order: Order)               ──►         fn body(order: Order) -> Result<Receipt, Failure> { … }
//!     -> Result<Receipt, Failure> { … }             static FUNCTION: Function = Function { name: "charge", … };
//!                                                   inventory::submit! { Registered(&FUNCTION) }
//!                                                   call_task(&FUNCTION, &order)
//!                                               }
//! ```
//!
//! All of it stands inside the one function, so that whatever `cfg` the user put on it holds for everything. The inner names are
//! mangled: they would hide the user's own from the body.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, Ident, Lit, LitStr, Meta, Visibility};

use crate::function::Function;
use crate::options::{Kind, Options};

pub(crate) fn expand(kind: Kind, options: TokenStream, item: TokenStream) -> TokenStream {
    match (Options::parse(kind, options), Function::parse(kind, item)) {
        (Ok(options), Ok(function)) => write(kind, &options, &function),
        (Err(mut first), Err(second)) => {
            first.combine(second);
            first.into_compile_error()
        }
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Error::into_compile_error(error),
    }
}

fn write(kind: Kind, options: &Options, function: &Function) -> TokenStream {
    let Function { item, arguments, returns } = function;
    let ident = &item.sig.ident;
    let plain = ident.to_string().trim_start_matches("r#").to_owned();
    let name = options.name.clone().unwrap_or_else(|| LitStr::new(&plain, ident.span()));
    let [body, run] = ["body", "run"].map(|part| format_ident!("__currant_{part}_{plain}", span = ident.span()));

    let attributes = item.attrs.iter().filter(|attribute| is_any(attribute, &OUTSIDE));
    let mut user = item.clone();
    user.sig.ident = body.clone();
    user.vis = Visibility::Inherited;
    user.attrs.retain(|attribute| !is_any(attribute, &["doc", "cfg", "deprecated"]));

    let visibility = &item.vis;
    let (names, types): (Vec<_>, Vec<_>) = arguments.iter().cloned().unzip();
    let value = quote_spanned!(returns.span()=> <#returns as ::currant::__private::Returns>::Value);
    let (answer, call) = match kind {
        Kind::Task => (quote!(TaskCall), quote!(call_task)),
        Kind::Workflow => (quote!(WorkflowCall), quote!(call_workflow)),
    };
    let input = match names.as_slice() {
        [] => quote!(()),
        [one] => quote!(#one),
        several => quote!((#(&#several),*)),
    };
    let runner = write_runner(kind, &name, &body, &run, function);
    let registration = write_registration(kind, &name, options, &run, &item.attrs);
    // The span makes errors about the result, such as one that cannot be read back, point at its type.
    let call = quote_spanned!(returns.span()=> ::currant::__private::#call(&__CURRANT_FUNCTION, &#input));
    quote! {
        #(#attributes)*
        #visibility fn #ident(#(#names: #types),*) -> ::currant::#answer<#value> {
            #user
            #runner
            #registration
            #call
        }
    }
}

/// The user's attributes that belong on the function that callers see.
const OUTSIDE: [&str; 5] = ["doc", "cfg", "deprecated", "allow", "expect"];

/// From JSON to JSON through the user's function.
fn write_runner(kind: Kind, name: &LitStr, body: &Ident, run: &Ident, function: &Function) -> TokenStream {
    let (names, types): (Vec<_>, Vec<_>) = function.arguments.iter().cloned().unzip();
    let input = match (names.as_slice(), types.as_slice()) {
        ([one], [of]) => {
            let decode = quote_spanned!(of.span()=> ::currant::__private::decode::<#of>);
            quote!(let #one = #decode(#name, input)?;)
        }
        ([], _) => quote!(::currant::__private::decode::<()>(#name, input)?;),
        _ => quote!(let (#(#names),*) = ::currant::__private::decode::<(#(#types),*)>(#name, input)?;),
    };
    let returns = &function.returns;
    let encode = quote_spanned!(returns.span()=> ::currant::__private::encode::<#returns>);
    match kind {
        Kind::Task => quote! {
            fn #run(input: &str) -> ::currant::__private::Outcome {
                #input
                #encode(#name, #body(#(#names),*))
            }
        },
        Kind::Workflow => quote! {
            fn #run(input: &str) -> ::currant::__private::Flow {
                let input = ::std::string::String::from(input);
                ::std::boxed::Box::pin(async move {
                    let input = input.as_str();
                    #input
                    #encode(#name, #body(#(#names),*).await)
                })
            }
        },
    }
}

/// The entry by which the module finds the function.
fn write_registration(kind: Kind, name: &LitStr, options: &Options, run: &Ident, attributes: &[Attribute]) -> TokenStream {
    let variant = match kind {
        Kind::Task => quote!(Task),
        Kind::Workflow => quote!(Workflow),
    };
    let settings = write_settings(kind, options);
    let description = description(attributes);
    quote! {
        static __CURRANT_FUNCTION: ::currant::__private::Function = ::currant::__private::Function {
            name: #name,
            body: ::currant::__private::Body::#variant(#run),
            description: #description,
            #settings
            place: (::core::file!(), ::core::line!()),
        };
        ::currant::__private::inventory::submit! { ::currant::__private::Registered(&__CURRANT_FUNCTION) }
    }
}

fn write_settings(kind: Kind, options: &Options) -> TokenStream {
    let standard = match kind {
        Kind::Task => quote!(TASK),
        Kind::Workflow => quote!(WORKFLOW),
    };
    let queue = option(options.queue.as_ref());
    let [priority, retries] = [option(options.priority), option(options.retries)];
    let [backoff, max_backoff, timeout, heartbeat, queue_timeout, total_timeout] = [
        options.backoff,
        options.max_backoff,
        options.timeout,
        options.heartbeat,
        options.queue_timeout,
        options.total_timeout,
    ]
    .map(option);
    let multiplier = option(options.multiplier);
    quote! {
        queue: #queue,
        priority: #priority,
        retry: ::currant::__private::retry_policy(
            ::currant::__private::#standard, #retries, #backoff, #multiplier, #max_backoff,
        ),
        timeouts: ::currant::__private::Timeouts {
            queue: ::currant::__private::milliseconds(#queue_timeout),
            attempt: ::currant::__private::milliseconds(#timeout),
            heartbeat: ::currant::__private::milliseconds(#heartbeat),
            total: ::currant::__private::milliseconds(#total_timeout),
        },
    }
}

fn option(value: Option<impl quote::ToTokens>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

fn is_any(attribute: &Attribute, names: &[&str]) -> bool {
    names.iter().any(|name| attribute.path().is_ident(name))
}

/// The doc comment as one text, without the space that follows the slashes.
fn description(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(doc) if doc.path.is_ident("doc") => match &doc.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<String> = lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect();
    lines.join("\n").trim().to_owned()
}
